// Binary property lists: what is read must come back equal through the XML form.
#include "fuzz/require.hpp"

#include <pomona/codec/plist.hpp>

#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace pomona;
    const auto first = codec::parse_binary_plist(base::Bytes(data, size));
    if (!first) return 0;
    const std::string written = codec::write_xml_plist(*first);
    // Shared objects are written once for each reference.
    if (written.size() > codec::largest_plist) return 0;
    const auto second = codec::parse_xml_plist(base::as_bytes(written));
    fuzz::require(second.has_value(), "what was written can be read");
    fuzz::require(*second == *first, "written and read again, the value is the same");
    return 0;
}

// XML property lists: what is read, written and read again must be equal.
#include "fuzz/require.hpp"

#include <pomona/codec/plist.hpp>

#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace pomona;
    const auto first = codec::parse_xml_plist(base::Bytes(data, size));
    if (!first) return 0;
    const std::string written = codec::write_xml_plist(*first);
    // Indentation may carry a file near the limit beyond it.
    if (written.size() > codec::largest_plist) return 0;
    const auto second = codec::parse_xml_plist(base::as_bytes(written));
    fuzz::require(second.has_value(), "what was written can be read");
    fuzz::require(*second == *first, "written and read again, the value is the same");
    return 0;
}

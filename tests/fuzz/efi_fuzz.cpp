// EFI programs: the slices of what is accepted lie inside the file, and a container built from them is read
// as the same programs.
#include "fuzz/require.hpp"

#include <pomona/codec/efi.hpp>

#include <algorithm>
#include <cstdint>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace pomona;
    const base::Bytes file(data, size);
    const auto first = codec::inspect_efi(file);
    if (!first) return 0;
    std::vector<base::Bytes> programs;
    for (const codec::EfiSlice& slice : first->slices) {
        fuzz::require(slice.offset <= size && slice.size <= size - slice.offset,
                      "a slice lies inside the file");
        programs.push_back(file.subspan(slice.offset, slice.size));
    }
    const auto built = codec::build_universal_efi(programs);
    fuzz::require(built.has_value(), "a container can be built of what was accepted");
    const auto second = codec::inspect_efi(*built);
    fuzz::require(second && second->slices.size() == programs.size(), "the container can be read");
    for (std::size_t i = 0; i < programs.size(); ++i) {
        const codec::EfiSlice& slice = second->slices[i];
        const auto copy = base::Bytes(*built).subspan(slice.offset, slice.size);
        fuzz::require(slice.machine == first->slices[i].machine, "a slice keeps its machine");
        fuzz::require(std::ranges::equal(copy, programs[i]), "a slice keeps its octets");
    }
    return 0;
}

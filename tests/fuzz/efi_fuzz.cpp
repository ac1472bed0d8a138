// EFI programs: the slices of what is accepted lie inside the file, and a container built from them is read
// as the same programs.
#include <pomona/codec/efi.hpp>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace pomona;
    const base::Bytes file(data, size);
    const auto first = codec::inspect_efi(file);
    if (!first) return 0;
    std::vector<base::Bytes> programs;
    for (const codec::EfiSlice& slice : first->slices) {
        if (slice.offset > size || slice.size > size - slice.offset) std::abort();
        programs.push_back(file.subspan(slice.offset, slice.size));
    }
    const auto built = codec::build_universal_efi(programs);
    if (!built) std::abort();
    const auto second = codec::inspect_efi(*built);
    if (!second || second->slices.size() != programs.size()) std::abort();
    for (std::size_t i = 0; i < programs.size(); ++i) {
        const codec::EfiSlice& slice = second->slices[i];
        const auto copy = base::Bytes(*built).subspan(slice.offset, slice.size);
        if (slice.machine != first->slices[i].machine || !std::ranges::equal(copy, programs[i])) std::abort();
    }
    return 0;
}

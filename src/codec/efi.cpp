#include <pomona/codec/efi.hpp>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

namespace pomona::codec {

namespace {

constexpr std::uint32_t container_magic = 0x0ef1fab9;
constexpr std::uint32_t cpu_i386 = 7;
constexpr std::uint32_t cpu_x64 = 0x01000007;
constexpr std::uint32_t cpu_subtype = 3;
constexpr std::uint16_t machine_ia32 = 0x014c;
constexpr std::uint16_t machine_x64 = 0x8664;
constexpr std::size_t slice_header_size = 20;
/// Two exist; a few more may be there for machines that we do not know.
constexpr std::uint32_t most_slices = 16;
constexpr std::size_t slice_alignment = 4096;
/// Far more than a boot program has; the loader of Windows stops at 96.
constexpr std::uint16_t most_sections = 96;
constexpr std::size_t section_header_size = 40;

constexpr const char* copy_again = "the file is cut off or damaged; copy it again";

/// Little-endian fields at absolute offsets of a file that is read in small pieces.
class FileView {
  public:
    FileView(std::uint64_t size, const ReadAt& read) : size_(size), read_(read) {}

    [[nodiscard]] std::uint64_t size() const { return size_; }

    template <typename T>
    std::optional<T> field(std::uint64_t offset) const {
        std::array<std::uint8_t, sizeof(T)> octets{};
        if (offset > size_ || size_ - offset < octets.size()) return std::nullopt;
        if (read_(offset, octets) != octets.size()) return std::nullopt;
        T value = 0;
        for (std::size_t i = octets.size(); i-- > 0;) value = static_cast<T>(value << 8U | octets[i]);
        return value;
    }
    std::optional<std::uint16_t> u16(std::uint64_t offset) const { return field<std::uint16_t>(offset); }
    std::optional<std::uint32_t> u32(std::uint64_t offset) const { return field<std::uint32_t>(offset); }

  private:
    std::uint64_t size_;
    const ReadAt& read_;
};

std::string at(std::uint64_t offset) {
    return "offset " + std::to_string(offset);
}

/// What else people take for a boot program, by its first octets; empty if unknown.
std::string_view other_program(const FileView& file, std::uint64_t start) {
    const std::uint32_t first = file.u32(start).value_or(0);
    if (file.u16(start) == 0xaa55) return "the boot ROM of a network card";
    if (first == 0x464c457f) return "an ELF program";
    if (first == 0xfeedface || first == 0xfeedfacf || first == 0xbebafeca || first == 0xcefaedfe) {
        return "a program for Mac OS X, not for the firmware";
    }
    if (first == 0x70692123) return "an iPXE script";
    if ((first & 0xffffffU) == 0x088b1f) return "a file compressed by gzip";
    if (first == 0x04034b50) return "a ZIP archive";
    if (first == 0x21726178) return "a package of Mac OS X";
    if ((first & 0xffffU) == 0x2123) return "a script";
    if (first == 0x4d58503c || first == 0x6d783f3c || first == 0x6d783fbf) return "an XML file";
    // ISO 9660 leaves the first 16 sectors free, often for such a boot sector.
    if (file.u32(start + 0x8001) == 0x30304443) return "an ISO image of a disc";
    if (file.u16(start + 510) == 0xaa55) return "a boot sector for a PC's BIOS";
    return {};
}

bool starts_like_pe(const FileView& file, std::uint64_t offset) {
    return file.u16(offset) == 0x5a4d;
}

/// The sections must lie inside the slice: a loader reads the last octet of each.
base::Result<void> check_sections(const FileView& file, std::uint64_t start, std::uint64_t end,
                                  std::uint64_t table, std::uint16_t count) {
    if (count > most_sections)
        return base::fail("the program has impossibly many sections", at(table), copy_again);
    for (std::uint16_t i = 0; i < count; ++i) {
        const std::uint64_t header = table + std::uint64_t{i} * section_header_size;
        const auto raw_size = file.u32(header + 16);
        const auto raw_offset = file.u32(header + 20);
        if (!raw_size || !raw_offset || header + section_header_size > end ||
            (*raw_size != 0 && start + *raw_offset + *raw_size > end)) {
            return base::fail("the program ends inside its section " + std::to_string(i + 1), at(header),
                              copy_again);
        }
    }
    return {};
}

/// A PE program between `start` and `end` of the file.
base::Result<EfiSlice> inspect_pe(const FileView& file, std::uint64_t start, std::uint64_t end) {
    if (!starts_like_pe(file, start)) {
        const std::string_view other = other_program(file, start);
        return base::fail("this is no EFI program" +
                              (other.empty() ? " (it does not start with MZ)" : " but " + std::string(other)),
                          at(start), "use an EFI program such as GRUB's or iPXE's, or Apple's booter");
    }
    const auto pe_offset = file.u32(start + 0x3c);
    if (!pe_offset || start + *pe_offset + 24 > end) {
        return base::fail("the program has no PE header", at(start + 0x3c), copy_again);
    }
    const std::uint64_t pe = start + *pe_offset;
    if (file.u32(pe) != 0x00004550U) return base::fail("the program has no PE header", at(pe), copy_again);

    const auto machine = file.u16(pe + 4);
    const auto sections = file.u16(pe + 6);
    const auto optional_size = file.u16(pe + 20);
    // The size was checked; this is about a file that shrinks while it is read.
    if (!machine || !sections || !optional_size)
        return base::fail("the program is unreadable", at(pe), copy_again);
    if (machine != machine_ia32 && machine != machine_x64) {
        return base::fail("the program is for another processor (machine " + std::to_string(*machine) + ")",
                          at(pe + 4), "use a program for ia32 or x86-64 EFI");
    }
    // Up to and including the subsystem, which both forms of the optional header have at the same place.
    if (*optional_size < 70 || pe + 24 + *optional_size > end) {
        return base::fail("the program's optional header is cut off", at(pe + 24), copy_again);
    }
    if (file.u16(pe + 24) != (machine == machine_x64 ? 0x20b : 0x10b)) {
        return base::fail("the program's optional header does not fit its processor", at(pe + 24),
                          copy_again);
    }
    const auto subsystem = file.u16(pe + 24 + 68);
    if (!subsystem) return base::fail("the program is unreadable", at(pe), copy_again);
    if (*subsystem < 10 || *subsystem > 12) {
        return base::fail("the program is not made for EFI (subsystem " + std::to_string(*subsystem) + ")",
                          at(pe + 24 + 68), "use an EFI program such as GRUB's or iPXE's");
    }
    const auto checked = check_sections(file, start, end, pe + 24 + *optional_size, *sections);
    if (!checked) return std::unexpected(checked.error());
    return EfiSlice{.machine = machine == machine_x64 ? EfiMachine::x64 : EfiMachine::ia32,
                    .offset = start,
                    .size = end - start,
                    .subsystem = *subsystem};
}

/// Apple writes 0. Others write the number of octets, or its power of two as in Apple's other containers.
bool is_aligned(std::uint32_t offset, std::uint32_t alignment) {
    if (alignment == 0) return true;
    const bool as_octets = (alignment & (alignment - 1)) == 0 && offset % alignment == 0;
    return as_octets || (alignment < 32 && offset % (std::uint32_t{1} << alignment) == 0);
}

base::Result<EfiProgram> inspect_container(const FileView& file) {
    const auto count = file.u32(4);
    if (!count || *count == 0 || *count > most_slices) {
        return base::fail("the universal container has an impossible number of slices", at(4), copy_again);
    }
    EfiProgram program{.is_container = true, .slices = {}};
    std::vector<std::pair<std::uint64_t, std::uint64_t>> taken = {{0, 8 + slice_header_size * *count}};
    for (std::uint32_t i = 0; i < *count; ++i) {
        const std::uint64_t header = 8 + std::uint64_t{i} * slice_header_size;
        const auto cpu = file.u32(header);
        const auto offset = file.u32(header + 8);
        const auto length = file.u32(header + 12);
        const auto alignment = file.u32(header + 16);
        const std::string name = "slice " + std::to_string(i + 1) + " of the universal container";
        if (!cpu || !offset || !length || !alignment)
            return base::fail(name + " has no header", at(header), copy_again);
        const std::uint64_t end = std::uint64_t{*offset} + *length;
        if (*length == 0 || end > file.size())
            return base::fail(name + " is cut off", at(header), copy_again);
        for (const auto& [from, to] : taken) {
            if (*offset < to && from < end) {
                return base::fail(name + " overlaps another part of the file", at(header),
                                  "build the container again");
            }
        }
        if (!is_aligned(*offset, *alignment)) {
            return base::fail(
                name + " does not lie at a multiple of its alignment, " + std::to_string(*alignment),
                at(header + 8), "build the container again");
        }
        taken.emplace_back(*offset, end);
        if (cpu != cpu_i386 && cpu != cpu_x64) continue;
        const EfiMachine machine = cpu == cpu_x64 ? EfiMachine::x64 : EfiMachine::ia32;
        const auto inner = inspect_pe(file, *offset, end);
        if (!inner) return std::unexpected(inner.error());
        if (inner->machine != machine) {
            return base::fail(name + " holds a program for another processor than it says", at(header),
                              "build the container again");
        }
        if (program.runs_on(machine)) {
            return base::fail("two slices are for the same processor", at(header),
                              "build the container again");
        }
        program.slices.push_back(*inner);
    }
    if (program.slices.empty()) {
        return base::fail("the universal container holds no program for ia32 or x86-64", at(8),
                          "build the container again");
    }
    return program;
}

}  // namespace

bool EfiProgram::runs_on(EfiMachine machine) const {
    return std::ranges::any_of(slices, [&](const EfiSlice& slice) { return slice.machine == machine; });
}

base::Result<EfiProgram> inspect_efi(std::uint64_t file_size, const ReadAt& read) {
    const FileView file(file_size, read);
    if (file_size == 0) return base::fail("the file is empty", at(0), "copy the EFI program again");
    if (file.u32(0) == container_magic) return inspect_container(file);
    const auto slice = inspect_pe(file, 0, file_size);
    if (!slice) return std::unexpected(slice.error());
    return EfiProgram{.is_container = false, .slices = {*slice}};
}

base::Result<EfiProgram> inspect_efi(base::Bytes file) {
    return inspect_efi(file.size(), [file](std::uint64_t offset, base::MutableBytes into) {
        if (offset >= file.size()) return std::size_t{0};
        const std::size_t count = std::min<std::size_t>(into.size(), file.size() - offset);
        std::memcpy(into.data(), file.data() + offset, count);
        return count;
    });
}

base::Result<std::vector<std::uint8_t>> build_universal_efi(const std::vector<base::Bytes>& programs) {
    std::vector<std::uint8_t> container;
    const auto put = [&](std::uint32_t value) {
        for (const unsigned shift : {0U, 8U, 16U, 24U}) {
            container.push_back(static_cast<std::uint8_t>(value >> shift));
        }
    };
    const auto aligned = [](std::uint64_t size) {
        return (size + slice_alignment - 1) / slice_alignment * slice_alignment;
    };
    std::uint64_t offset = aligned(8 + slice_header_size * programs.size());
    put(container_magic);
    put(static_cast<std::uint32_t>(programs.size()));
    EfiProgram together;
    for (const base::Bytes program : programs) {
        const auto inspected = inspect_efi(program);
        if (!inspected) return std::unexpected(inspected.error());
        const EfiMachine machine = inspected->slices.front().machine;
        if (inspected->is_container) {
            return base::fail("one of the programs is a container already", {}, "give plain EFI programs");
        }
        if (together.runs_on(machine)) {
            return base::fail("two programs are for the same processor", {}, "give one per processor");
        }
        if (offset + program.size() > 0xffffffffU) return base::fail("the programs exceed 4 GiB");
        together.slices.push_back({.machine = machine, .offset = offset, .size = program.size()});
        put(machine == EfiMachine::x64 ? cpu_x64 : cpu_i386);
        put(cpu_subtype);
        put(static_cast<std::uint32_t>(offset));
        put(static_cast<std::uint32_t>(program.size()));
        put(0);
        offset = aligned(offset + program.size());
    }
    if (programs.empty()) return base::fail("no program was given", {}, "give one per processor");
    for (std::size_t i = 0; i < programs.size(); ++i) {
        container.resize(together.slices[i].offset);
        container.insert(container.end(), programs[i].begin(), programs[i].end());
    }
    return container;
}

}  // namespace pomona::codec

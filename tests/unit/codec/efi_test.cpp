#include "support/efi_samples.hpp"

#include <pomona/codec/efi.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace pomona::codec {
namespace {

using testing::HasSubstr;
using tests::efi_program;
using tests::put_le;
using tests::universal_efi_program;
using Octets = std::vector<std::uint8_t>;

TEST(Efi, KnowsTheMachineOfAPlainProgram) {
    for (const EfiMachine machine : {EfiMachine::ia32, EfiMachine::x64}) {
        const Octets file = efi_program(machine);
        const auto program = inspect_efi(file);
        ASSERT_TRUE(program) << program.error().text();
        EXPECT_FALSE(program->is_container);
        EXPECT_EQ(program->slices, (std::vector<EfiSlice>{{machine, 0, file.size()}}));
        EXPECT_TRUE(program->runs_on(machine));
    }
}

TEST(Efi, ReadsWhatItBuilds) {
    const Octets file = universal_efi_program();
    const auto program = inspect_efi(file);
    ASSERT_TRUE(program) << program.error().text();
    EXPECT_TRUE(program->is_container);
    EXPECT_EQ(program->slices,
              (std::vector<EfiSlice>{{EfiMachine::ia32, 4096, 1024}, {EfiMachine::x64, 8192, 1024}}));
    EXPECT_EQ((Octets{file.begin() + 8192, file.end()}), efi_program(EfiMachine::x64));
    // As Apple's document and the public builder of iPXE lay it out.
    EXPECT_EQ((Octets{file.begin(), file.begin() + 28}),
              (Octets{0xb9, 0xfa, 0xf1, 0x0e, 2, 0, 0, 0, 7, 0, 0, 0, 3, 0,
                      0,    0,    0,    0x10, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0}));
}

TEST(Efi, TakesBothWaysToWriteAnAlignment) {
    for (const std::uint32_t alignment : {0U, 1U, 12U, 4096U, 8U}) {
        Octets file = universal_efi_program();
        put_le(file, 24, alignment, 4);
        EXPECT_TRUE(inspect_efi(file)) << alignment;
    }
}

TEST(Efi, TellsTheSubsystem) {
    Octets file = efi_program(EfiMachine::ia32);
    put_le(file, 0x80 + 24 + 68, 11, 2);
    EXPECT_EQ(inspect_efi(file)->slices[0].subsystem, 11);
}

TEST(Efi, BuildsOnlyFromPlainProgramsOfDifferentMachines) {
    const Octets x64 = efi_program(EfiMachine::x64);
    const Octets both = universal_efi_program();
    const Octets text = {'h', 'i'};
    EXPECT_FALSE(build_universal_efi({}));
    EXPECT_FALSE(build_universal_efi({x64, x64}));
    EXPECT_FALSE(build_universal_efi({x64, both}));
    EXPECT_FALSE(build_universal_efi({text}));
    EXPECT_TRUE(build_universal_efi({x64}));
}

TEST(Efi, SkipsSlicesOfUnknownMachines) {
    Octets file = universal_efi_program();
    put_le(file, 8, 0x12, 4);
    const auto program = inspect_efi(file);
    ASSERT_TRUE(program) << program.error().text();
    ASSERT_EQ(program->slices.size(), 1U);
    EXPECT_EQ(program->slices[0].machine, EfiMachine::x64);
}

struct RefusedCase {
    const char* name;
    Octets file;
    const char* what;
};

Octets changed(Octets file, std::size_t at, std::uint64_t value, std::size_t size) {
    put_le(file, at, value, size);
    return file;
}

Octets plain(std::size_t at, std::uint64_t value, std::size_t size) {
    return changed(efi_program(EfiMachine::x64), at, value, size);
}

Octets container(std::size_t at, std::uint64_t value, std::size_t size) {
    return changed(universal_efi_program(), at, value, size);
}

Octets cut(Octets file, std::size_t size) {
    file.resize(size);
    return file;
}

class EfiRefuses : public testing::TestWithParam<RefusedCase> {};

TEST_P(EfiRefuses, WithPlaceAndRemedy) {
    const auto program = inspect_efi(GetParam().file);
    ASSERT_FALSE(program);
    EXPECT_THAT(program.error().what, HasSubstr(GetParam().what));
    EXPECT_THAT(program.error().where, HasSubstr("offset "));
    EXPECT_NE(program.error().remedy, "");
}

constexpr std::size_t pe = 0x80;

INSTANTIATE_TEST_SUITE_P(
    Table, EfiRefuses,
    testing::ValuesIn(std::vector<RefusedCase>{
        RefusedCase{"empty", {}, "empty"},
        RefusedCase{"one_octet", {'M'}, "no EFI program"},
        RefusedCase{"an_elf_program", {0x7f, 'E', 'L', 'F', 0, 0, 0, 0}, "no EFI program"},
        RefusedCase{"an_option_rom", {0x55, 0xaa, 4, 0, 0}, "but the boot ROM of a network card"},
        RefusedCase{"a_gzip_file", {0x1f, 0x8b, 8, 0, 0}, "but a file compressed by gzip"},
        RefusedCase{"an_ipxe_script", {'#', '!', 'i', 'p', 'x', 'e', '\n'}, "but an iPXE script"},
        RefusedCase{"a_shell_script", {'#', '!', '/', 'b', 'i', 'n'}, "but a script"},
        RefusedCase{"a_mach_o_program", {0xcf, 0xfa, 0xed, 0xfe}, "but a program for Mac OS X"},
        RefusedCase{"a_bios_boot_sector", changed({0xeb, 0x63, 0x90, 0}, 510, 0xaa55, 2),
                    "but a boot sector for a PC's BIOS"},
        RefusedCase{"an_iso_image", changed(Octets(40'000), 0x8001, 0x30304443, 4), "but an ISO image"},
        RefusedCase{"mz_alone", {'M', 'Z'}, "no PE header"},
        RefusedCase{"pe_header_far_away", plain(0x3c, 0xffffffff, 4), "no PE header"},
        RefusedCase{"no_pe_signature", plain(pe, 0, 4), "no PE header"},
        RefusedCase{"arm", plain(pe + 4, 0xaa64, 2), "another processor"},
        RefusedCase{"short_optional_header", plain(pe + 20, 10, 2), "optional header"},
        RefusedCase{"optional_header_of_the_other_width", plain(pe + 24, 0x10b, 2), "does not fit"},
        RefusedCase{"a_windows_program", plain(pe + 24 + 68, 3, 2), "not made for EFI"},
        RefusedCase{"too_many_sections", plain(pe + 6, 1000, 2), "many sections"},
        RefusedCase{"section_table_cut_off", plain(pe + 6, 96, 2), "section"},
        RefusedCase{"file_cut_off", cut(efi_program(EfiMachine::x64), 1023), "section 1"},
        RefusedCase{"no_slices", container(4, 0, 4), "number of slices"},
        RefusedCase{"huge_count_of_slices", container(4, 0xffffffff, 4), "number of slices"},
        RefusedCase{"count_cut_off", cut(universal_efi_program(), 6), "number of slices"},
        RefusedCase{"slice_header_cut_off", cut(universal_efi_program(), 30), "slice 1"},
        RefusedCase{"slice_cut_off", cut(universal_efi_program(), 9000), "slice 2"},
        RefusedCase{"slice_out_of_range", container(36, 0xfffffff0, 4), "slice 2"},
        RefusedCase{"empty_slice", container(40, 0, 4), "slice 2"},
        RefusedCase{"slice_over_the_headers", container(16, 16, 4), "overlaps"},
        RefusedCase{"slices_over_each_other", container(36, 4097, 4), "overlaps"},
        RefusedCase{"slice_off_its_power_of_two", container(24, 13, 4), "alignment, 13"},
        RefusedCase{"slice_off_its_octets", container(24, 8192, 4), "alignment, 8192"},
        RefusedCase{"slice_with_absurd_alignment", container(24, 0xffffffff, 4), "alignment"},
        RefusedCase{"slice_without_program", container(4096, 0, 2), "no EFI program"},
        RefusedCase{"slice_of_the_other_machine", container(8, 0x01000007, 4),
                    "another processor than it says"},
        RefusedCase{"nothing_for_us", changed(container(8, 1, 4), 28, 2, 4), "no program"}}),
    [](const auto& test) { return test.param.name; });

TEST(Efi, RefusesTwoSlicesOfOneMachine) {
    Octets file = universal_efi_program();
    put_le(file, 8, 0x01000007, 4);
    const Octets x64 = efi_program(EfiMachine::x64);
    std::copy(x64.begin(), x64.end(), file.begin() + 4096);
    const auto program = inspect_efi(file);
    ASSERT_FALSE(program);
    EXPECT_THAT(program.error().what, HasSubstr("same processor"));
}

TEST(Efi, SurvivesAFileThatShrinksWhileItIsRead) {
    const Octets file = universal_efi_program();
    for (std::size_t reads = 0; reads < 40; ++reads) {
        std::size_t left = reads;
        const auto program = inspect_efi(file.size(), [&](std::uint64_t offset, base::MutableBytes into) {
            if (left == 0) return std::size_t{0};
            --left;
            std::copy_n(file.begin() + static_cast<std::ptrdiff_t>(offset), into.size(), into.begin());
            return into.size();
        });
        if (program) {
            EXPECT_EQ(program->slices.size(), 2U);
        }
    }
}

}  // namespace
}  // namespace pomona::codec

#include <pomona/model/boot_paths.hpp>
#include <pomona/model/image_rules.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace pomona::model {
namespace {

using base::Ipv4Address;
using codec::PlistArray;
using codec::PlistDict;
using codec::PlistValue;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Severity = ImageProblem::Severity;

PlistValue text(std::string value) {
    return PlistValue(std::move(value));
}
PlistValue number(std::int64_t value) {
    return PlistValue(value);
}
PlistValue flag(bool value) {
    return PlistValue(value);
}
PlistValue list(std::vector<std::string> values) {
    PlistArray array;
    for (std::string& value : values) array.emplace_back(std::move(value));
    return PlistValue(std::move(array));
}

/// A folder whose image is fine, to be spoiled by each test.
struct Folder {
    PlistDict dict;
    ImageFolder place{.share = "NetBootSP0",
                      .share_path = "/srv/images",
                      .folder = "Lion.nbi",
                      .external_tftp_folder = {},
                      .honour_disabled_list = false};
    std::map<std::string, FileFacts> files;
    std::map<std::string, Ipv4Address> hosts = {{"server.example", Ipv4Address(10, 0, 1, 7)}};
    codec::EfiProgram program{.is_container = false, .slices = {{codec::EfiMachine::x64, 0, 100}}};
    /// Of single files; the others are `program`.
    std::map<std::string, codec::EfiProgram> programs;

    Folder() {
        set("Name", text("Lion"));
        set("Index", number(4097));
        set("Type", text("HTTP"));
        set("Kind", number(1));
        set("IsInstall", flag(true));
        set("Architectures", list({"i386"}));
        set("BootFile", text("booter"));
        set("RootPath", text("NetBoot.dmg"));
        add_file("i386/booter");
        add_file("NetBoot.dmg");
    }

    Folder& set(const std::string& key, PlistValue value) {
        remove(key);
        dict.add(key, std::move(value));
        return *this;
    }
    Folder& remove(const std::string& key) {
        std::erase_if(dict.entries, [&](const codec::PlistEntry& entry) { return entry.key == key; });
        return *this;
    }
    Folder& add_file(const std::string& path, FileFacts::Kind kind = FileFacts::Kind::regular,
                     std::uint64_t size = 100) {
        files[path] = {.kind = kind, .size = size, .readable = true, .reason = {}};
        return *this;
    }
    Folder& boot_file_only() { return set("Type", text("BootFileOnly")).remove("RootPath"); }
};

struct Outcome {
    std::optional<NetBootImage> image;
    std::vector<ImageProblem> problems;

    [[nodiscard]] std::string texts() const {
        std::string lines;
        for (const ImageProblem& problem : problems) lines += problem.text() + "\n";
        return lines;
    }
};

Outcome read(const Folder& folder) {
    Outcome outcome;
    const ImageFacts facts{.file =
                               [&](const std::string& path) {
                                   const auto found = folder.files.find(path);
                                   return found == folder.files.end() ? FileFacts{} : found->second;
                               },
                           .efi = [&](const std::string& path) -> base::Result<codec::EfiProgram> {
                               if (const auto found = folder.programs.find(path);
                                   found != folder.programs.end())
                                   return found->second;
                               if (folder.program.slices.empty())
                                   return base::fail("this is no EFI program", "offset 0", "use one");
                               return folder.program;
                           },
                           .resolve = [&](const std::string& host) -> std::optional<Ipv4Address> {
                               if (const auto address = Ipv4Address::parse(host)) return address;
                               const auto found = folder.hosts.find(host);
                               if (found == folder.hosts.end()) return std::nullopt;
                               return found->second;
                           }};
    outcome.image = netboot_image_from(PlistValue(folder.dict), folder.place, facts, outcome.problems);
    return outcome;
}

TEST(ImageRules, MakesAnImage) {
    Folder folder;
    folder.set("IsDefault", flag(true))
        .set("SupportsDiskless", flag(true))
        .set("EnabledSystemIdentifiers", list({"iMac12,1", "MacBookAir4,1", "iMac12,1"}))
        .set("EnabledMACAddresses", list({"40:6c:8f:37:95:27", "0:1:2:3:4:5"}))
        .set("DisabledMACAddresses", list({"40-6c-8f-37-95-28"}))
        .set("LoadBalanceServer", text("server.example"))
        .set("Description", text("something else"));
    const Outcome outcome = read(folder);
    EXPECT_THAT(outcome.problems, IsEmpty()) << outcome.texts();
    ASSERT_TRUE(outcome.image);
    const NetBootImage& image = *outcome.image;
    EXPECT_EQ(image.id, base::BootImageId(0x81001001U));
    EXPECT_EQ(image.name, "Lion");
    EXPECT_EQ(image.type, ImageType::http);
    EXPECT_TRUE(image.is_default);
    EXPECT_TRUE(image.supports_diskless);
    EXPECT_FALSE(image.filter_only);
    EXPECT_EQ(image.share, "NetBootSP0");
    EXPECT_EQ(image.share_path, "/srv/images");
    EXPECT_EQ(image.folder, "Lion.nbi");
    EXPECT_THAT(image.boot_files, ElementsAre(BootFile{"i386", "i386/booter", EfiWidth::x64, 100}));
    EXPECT_EQ(image.root_path, (RootPath{"NetBoot.dmg", ""}));
    EXPECT_THAT(image.enabled_models, ElementsAre("MacBookAir4,1", "iMac12,1"));
    EXPECT_THAT(image.disabled_models, IsEmpty());
    EXPECT_EQ(image.enabled_macs.size(), 2U);
    EXPECT_TRUE(std::ranges::is_sorted(image.enabled_macs));
    EXPECT_EQ(image.disabled_macs.size(), 1U);
    EXPECT_EQ(image.load_balance_server, Ipv4Address(10, 0, 1, 7));
}

TEST(ImageRules, AWidthForEachProgram) {
    Folder folder;
    folder.program.slices = {{codec::EfiMachine::ia32, 0, 100}};
    EXPECT_EQ(read(folder).image->boot_files[0].width, EfiWidth::ia32);
    folder.program = {.is_container = true,
                      .slices = {{codec::EfiMachine::ia32, 0, 50}, {codec::EfiMachine::x64, 50, 50}}};
    EXPECT_EQ(read(folder).image->boot_files[0].width, EfiWidth::universal);
}

/// One key spoiled: what comes of it.
struct RuleCase {
    const char* name;
    std::function<void(Folder&)> spoil;
    /// nullopt: published without a word.
    std::optional<Severity> severity;
    const char* key = "";
    const char* what = "";
    /// Looked at when the image is published.
    std::function<bool(const NetBootImage&)> holds = [](const NetBootImage&) { return true; };
};

class ImageRule : public testing::TestWithParam<RuleCase> {};

TEST_P(ImageRule, Holds) {
    const RuleCase& rule = GetParam();
    Folder folder;
    rule.spoil(folder);
    const Outcome outcome = read(folder);
    if (rule.severity) {
        ASSERT_FALSE(outcome.problems.empty());
        const auto found = std::ranges::find_if(outcome.problems, [&](const ImageProblem& problem) {
            return problem.severity == *rule.severity && problem.key == rule.key &&
                   problem.what.find(rule.what) != std::string::npos;
        });
        EXPECT_NE(found, outcome.problems.end()) << outcome.texts();
        for (const ImageProblem& problem : outcome.problems) {
            EXPECT_NE(problem.remedy, "") << problem.text();
            EXPECT_THAT(problem.path, testing::StartsWith("/srv/images/")) << problem.text();
        }
    } else {
        EXPECT_THAT(outcome.problems, IsEmpty()) << outcome.texts();
    }
    const bool published = !rule.severity || *rule.severity == Severity::warning;
    ASSERT_EQ(outcome.image.has_value(), published) << outcome.texts();
    if (published) {
        EXPECT_TRUE(rule.holds(*outcome.image));
    }
}

std::string rule_name(const testing::TestParamInfo<RuleCase>& test) {
    return test.param.name;
}

constexpr auto error = Severity::error;
constexpr auto warning = Severity::warning;

INSTANTIATE_TEST_SUITE_P(
    Name, ImageRule,
    testing::ValuesIn(std::vector<RuleCase>{
        RuleCase{"missing", [](Folder& f) { f.remove("Name"); }, error, "Name", "missing"},
        RuleCase{"number", [](Folder& f) { f.set("Name", number(1)); }, error, "Name", "an integer"},
        RuleCase{"empty", [](Folder& f) { f.set("Name", text("")); }, error, "Name", "empty"},
        RuleCase{"blank", [](Folder& f) { f.set("Name", text(" \t ")); }, error, "Name", "empty"},
        RuleCase{"of_64_octets", [](Folder& f) { f.set("Name", text(std::string(64, 'x'))); }, std::nullopt},
        RuleCase{"of_65_octets", [](Folder& f) { f.set("Name", text(std::string(65, 'x'))); }, warning,
                 "Name", "little room", [](const NetBootImage& i) { return i.name.size() == 65; }},
        RuleCase{"of_229_octets", [](Folder& f) { f.set("Name", text(std::string(229, 'x'))); }, warning,
                 "Name", "little room", [](const NetBootImage& i) { return i.name.size() == 229; }},
        RuleCase{"cut_at_a_character",
                 [](Folder& f) { f.set("Name", text(std::string(228, 'x') + "\xc3\xa9")); }, warning, "Name",
                 "cut to 228", [](const NetBootImage& i) { return i.name == std::string(228, 'x'); }},
        RuleCase{"control_characters",
                 [](Folder& f) {
                     f.set("Name", text("a\tb\x7f\xc2\x85"
                                        "c\xc3\xa9"));
                 },
                 warning, "Name", "spaces",
                 [](const NetBootImage& i) { return i.name == "a b  c\xc3\xa9"; }}}),
    rule_name);

INSTANTIATE_TEST_SUITE_P(
    Index, ImageRule,
    testing::ValuesIn(std::vector<RuleCase>{
        RuleCase{"missing", [](Folder& f) { f.remove("Index"); }, error, "Index", "missing"},
        RuleCase{"zero", [](Folder& f) { f.set("Index", number(0)); }, error, "Index", "out of range"},
        RuleCase{"negative", [](Folder& f) { f.set("Index", number(-1)); }, error, "Index", "out of range"},
        RuleCase{"too_large", [](Folder& f) { f.set("Index", number(65536)); }, error, "Index",
                 "out of range"},
        RuleCase{"largest", [](Folder& f) { f.set("Index", number(65535)); }, std::nullopt, "", "",
                 [](const NetBootImage& i) { return i.id.index() == 65535; }},
        RuleCase{"numeric_string", [](Folder& f) { f.set("Index", text("17")); }, warning, "Index", "string",
                 [](const NetBootImage& i) { return i.id.index() == 17; }},
        RuleCase{"other_string", [](Folder& f) { f.set("Index", text("17 ")); }, error, "Index", "a string"},
        RuleCase{"real", [](Folder& f) { f.set("Index", PlistValue(17.0)); }, error, "Index",
                 "a real number"},
        RuleCase{"boolean", [](Folder& f) { f.set("Index", flag(true)); }, error, "Index", "a boolean"}}),
    rule_name);

INSTANTIATE_TEST_SUITE_P(
    Kind, ImageRule,
    testing::ValuesIn(std::vector<RuleCase>{
        RuleCase{"missing", [](Folder& f) { f.remove("Kind"); }, std::nullopt, "", "",
                 [](const NetBootImage& i) { return i.id.kind() == 1; }},
        RuleCase{"missing_for_a_boot_file", [](Folder& f) { f.boot_file_only().remove("Kind"); }, warning,
                 "Kind", "missing", [](const NetBootImage& i) { return i.id.kind() == 1; }},
        RuleCase{"largest", [](Folder& f) { f.set("Kind", number(127)); }, std::nullopt, "", "",
                 [](const NetBootImage& i) { return i.id.kind() == 127; }},
        RuleCase{"too_large", [](Folder& f) { f.set("Kind", number(128)); }, warning, "Kind", "out of range",
                 [](const NetBootImage& i) { return i.id.kind() == 1 && i.id.is_install(); }},
        RuleCase{"negative", [](Folder& f) { f.set("Kind", number(-1)); }, warning, "Kind", "out of range"},
        RuleCase{"numeric_string", [](Folder& f) { f.set("Kind", text("2")); }, warning, "Kind", "string",
                 [](const NetBootImage& i) { return i.id.kind() == 2; }},
        RuleCase{"real", [](Folder& f) { f.set("Kind", PlistValue(1.0)); }, error, "Kind", "a real number"}}),
    rule_name);

INSTANTIATE_TEST_SUITE_P(
    Type, ImageRule,
    testing::ValuesIn(std::vector<RuleCase>{
        RuleCase{"missing", [](Folder& f) { f.remove("Type"); }, error, "Type", "missing"},
        RuleCase{"wrong_case", [](Folder& f) { f.set("Type", text("http")); }, error, "Type", "no type"},
        RuleCase{"unknown", [](Folder& f) { f.set("Type", text("AFP")); }, error, "Type", "no type"},
        RuleCase{"classic", [](Folder& f) { f.set("Type", text("Classic")); }, error, "Type", "Mac OS 9"},
        RuleCase{"number", [](Folder& f) { f.set("Type", number(1)); }, error, "Type", "an integer"},
        RuleCase{"nfs", [](Folder& f) { f.set("Type", text("NFS")); }, std::nullopt, "", "",
                 [](const NetBootImage& i) { return i.type == ImageType::nfs && i.root_path; }},
        RuleCase{"boot_file_only", [](Folder& f) { f.boot_file_only(); }, std::nullopt, "", "",
                 [](const NetBootImage& i) { return i.type == ImageType::boot_file_only && !i.root_path; }}}),
    rule_name);

TEST(ImageRules, TellsHowToDeclareAProgramWithoutRoot) {
    Folder folder;
    folder.remove("Type").remove("RootPath");
    EXPECT_THAT(read(folder).texts(), HasSubstr("BootFileOnly"));
}

TEST(ImageRules, NamesAKeyThatDiffersInCase) {
    Folder folder;
    folder.remove("Index").set("index", number(5));
    EXPECT_THAT(read(folder).texts(), HasSubstr("rename \"index\" to Index"));
}

INSTANTIATE_TEST_SUITE_P(
    Flags, ImageRule,
    testing::ValuesIn(std::vector<RuleCase>{
        RuleCase{"disabled", [](Folder& f) { f.set("IsEnabled", flag(false)); }, Severity::note, "IsEnabled",
                 "off"},
        RuleCase{"disabled_as_number", [](Folder& f) { f.set("IsEnabled", number(0)); }, Severity::note,
                 "IsEnabled", "off"},
        RuleCase{"one_is_true", [](Folder& f) { f.set("IsDefault", number(1)); }, warning, "IsDefault",
                 "taken as true", [](const NetBootImage& i) { return i.is_default; }},
        RuleCase{"zero_is_false", [](Folder& f) { f.set("IsInstall", number(0)); }, warning, "IsInstall",
                 "taken as false", [](const NetBootImage& i) { return !i.id.is_install(); }},
        RuleCase{"two_is_nothing", [](Folder& f) { f.set("IsDefault", number(2)); }, error, "IsDefault",
                 "not a boolean"},
        RuleCase{"word_yes", [](Folder& f) { f.set("IsDefault", text("YES")); }, warning, "IsDefault",
                 "taken as true", [](const NetBootImage& i) { return i.is_default; }},
        RuleCase{"word_false", [](Folder& f) { f.set("IsInstall", text("False")); }, warning, "IsInstall",
                 "taken as false", [](const NetBootImage& i) { return !i.id.is_install(); }},
        RuleCase{"other_word", [](Folder& f) { f.set("IsEnabled", text("maybe")); }, error, "IsEnabled",
                 "not a boolean"},
        RuleCase{"real", [](Folder& f) { f.set("IsEnabled", PlistValue(1.0)); }, error, "IsEnabled",
                 "not a boolean"},
        RuleCase{"without_flags",
                 [](Folder& f) {
                     for (const char* key :
                          {"IsInstall", "IsDefault", "IsEnabled", "SupportsDiskless", "FilterOnly"})
                         f.remove(key);
                 },
                 std::nullopt, "", "",
                 [](const NetBootImage& i) {
                     return i.id == base::BootImageId(0x01001001U) && !i.is_default && !i.supports_diskless &&
                            !i.filter_only;
                 }},
        RuleCase{"filter_only", [](Folder& f) { f.set("FilterOnly", flag(true)); }, std::nullopt, "", "",
                 [](const NetBootImage& i) { return i.filter_only; }},
        RuleCase{"diagnostics_are_filter_only", [](Folder& f) { f.set("Kind", number(3)); }, std::nullopt, "",
                 "", [](const NetBootImage& i) { return i.filter_only; }},
        RuleCase{"diagnostics_for_all",
                 [](Folder& f) { f.set("Kind", number(3)).set("FilterOnly", flag(false)); }, std::nullopt, "",
                 "", [](const NetBootImage& i) { return !i.filter_only; }},
        RuleCase{"boot_file_is_never_diskless",
                 [](Folder& f) { f.boot_file_only().set("SupportsDiskless", flag(true)); }, warning,
                 "SupportsDiskless", "never", [](const NetBootImage& i) { return !i.supports_diskless; }}}),
    rule_name);

INSTANTIATE_TEST_SUITE_P(
    BootFile, ImageRule,
    testing::ValuesIn(std::vector<RuleCase>{
        RuleCase{"key_missing", [](Folder& f) { f.remove("BootFile"); }, error, "BootFile", "key is missing"},
        RuleCase{"number", [](Folder& f) { f.set("BootFile", number(1)); }, error, "BootFile", "an integer"},
        RuleCase{"empty_name", [](Folder& f) { f.set("BootFile", text("")); }, error, "BootFile",
                 "no plain name"},
        RuleCase{"absolute", [](Folder& f) { f.set("BootFile", text("/booter")); }, error, "BootFile",
                 "no plain name"},
        RuleCase{"up", [](Folder& f) { f.set("BootFile", text("../booter")); }, error, "BootFile",
                 "no plain name"},
        RuleCase{"up_inside", [](Folder& f) { f.set("BootFile", text("a/../booter")); }, error, "BootFile",
                 "no plain name"},
        RuleCase{"backslash", [](Folder& f) { f.set("BootFile", text("a\\booter")); }, error, "BootFile",
                 "no plain name"},
        RuleCase{"line_feed", [](Folder& f) { f.set("BootFile", text("boo\nter")); }, error, "BootFile",
                 "no plain name"},
        RuleCase{"sub_path",
                 [](Folder& f) { f.set("BootFile", text("x86_64/booter")).add_file("i386/x86_64/booter"); },
                 std::nullopt, "", "",
                 [](const NetBootImage& i) { return i.boot_files[0].path == "i386/x86_64/booter"; }},
        RuleCase{"missing", [](Folder& f) { f.files.erase("i386/booter"); }, error, "BootFile", "is missing"},
        RuleCase{"a_folder", [](Folder& f) { f.add_file("i386/booter", FileFacts::Kind::other); }, error,
                 "BootFile", "no regular file"},
        RuleCase{"a_link_out", [](Folder& f) { f.add_file("i386/booter", FileFacts::Kind::outside); }, error,
                 "BootFile", "leads out"},
        RuleCase{"inaccessible", [](Folder& f) { f.add_file("i386/booter", FileFacts::Kind::inaccessible); },
                 error, "BootFile", "cannot be looked at"},
        RuleCase{"unreadable", [](Folder& f) { f.files["i386/booter"].readable = false; }, error, "BootFile",
                 "cannot be read"},
        RuleCase{"empty", [](Folder& f) { f.add_file("i386/booter", FileFacts::Kind::regular, 0); }, error,
                 "BootFile", "empty"},
        RuleCase{"no_efi_program", [](Folder& f) { f.program.slices.clear(); }, error, "BootFile",
                 "no EFI program"}}),
    rule_name);

TEST(ImageRules, TellsToMoveABootFileFromTheTop) {
    Folder folder;
    folder.files.erase("i386/booter");
    folder.add_file("booter");
    EXPECT_THAT(read(folder).texts(), HasSubstr("move \"booter\" into the folder i386"));
}

INSTANTIATE_TEST_SUITE_P(
    Architectures, ImageRule,
    testing::ValuesIn(std::vector<RuleCase>{
        RuleCase{"empty", [](Folder& f) { f.set("Architectures", list({})); }, error, "Architectures",
                 "empty"},
        RuleCase{"string", [](Folder& f) { f.set("Architectures", text("i386")); }, error, "Architectures",
                 "a string"},
        RuleCase{"of_numbers", [](Folder& f) { f.set("Architectures", PlistValue(PlistArray{number(386)})); },
                 error, "Architectures", "element 1"},
        RuleCase{"path", [](Folder& f) { f.set("Architectures", list({"../i386"})); }, error, "Architectures",
                 "no architecture"},
        RuleCase{"twice", [](Folder& f) { f.set("Architectures", list({"i386", "i386"})); }, std::nullopt, "",
                 "", [](const NetBootImage& i) { return i.boot_files.size() == 1; }},
        RuleCase{
            "that_no_mac_has",
            [](Folder& f) { f.set("Architectures", list({"i386", "x86_64"})).add_file("x86_64/booter"); },
            warning, "Architectures", "no Mac calls itself"},
        RuleCase{"one_boot_file_missing", [](Folder& f) { f.set("Architectures", list({"i386", "ppc"})); },
                 error, "BootFile", "for ppc is missing"},
        RuleCase{"ppc_at_the_top",
                 [](Folder& f) { f.set("Architectures", list({"ppc", "i386"})).add_file("booter"); },
                 std::nullopt, "", "",
                 [](const NetBootImage& i) {
                     return i.boot_file_for("ppc")->path == "booter" &&
                            i.boot_file_for("ppc")->width == EfiWidth::other;
                 }},
        RuleCase{"ppc_folder_before_top",
                 [](Folder& f) {
                     f.set("Architectures", list({"ppc"})).add_file("booter").add_file("ppc/booter");
                 },
                 std::nullopt, "", "",
                 [](const NetBootImage& i) { return i.boot_files[0].path == "ppc/booter"; }},
        RuleCase{"ppc_may_be_anything",
                 [](Folder& f) {
                     f.set("Architectures", list({"ppc"})).add_file("ppc/booter").program.slices.clear();
                 },
                 std::nullopt},
        RuleCase{"absent_intel", [](Folder& f) { f.remove("Architectures"); }, warning, "Architectures",
                 "i386 is used", [](const NetBootImage& i) { return i.boot_files.size() == 1; }},
        RuleCase{"absent_both", [](Folder& f) { f.remove("Architectures").add_file("ppc/booter"); }, warning,
                 "Architectures", "i386 and ppc is used",
                 [](const NetBootImage& i) { return i.boot_files.size() == 2; }},
        RuleCase{"absent_old_ppc",
                 [](Folder& f) { f.remove("Architectures").add_file("booter").files.erase("i386/booter"); },
                 warning, "Architectures", "ppc is used",
                 [](const NetBootImage& i) { return i.boot_files[0].path == "booter"; }},
        RuleCase{"absent_and_no_file",
                 [](Folder& f) { f.remove("Architectures").files.erase("i386/booter"); }, error,
                 "Architectures", "neither i386/booter nor ppc/booter"}}),
    rule_name);

INSTANTIATE_TEST_SUITE_P(
    Models, ImageRule,
    testing::ValuesIn(std::vector<RuleCase>{
        RuleCase{"empty_means_all", [](Folder& f) { f.set("EnabledSystemIdentifiers", list({})); },
                 std::nullopt, "", "", [](const NetBootImage& i) { return i.enabled_models.empty(); }},
        RuleCase{"string", [](Folder& f) { f.set("EnabledSystemIdentifiers", text("iMac12,1")); }, error,
                 "EnabledSystemIdentifiers", "a string"},
        RuleCase{"of_numbers",
                 [](Folder& f) { f.set("EnabledSystemIdentifiers", PlistValue(PlistArray{number(1)})); },
                 error, "EnabledSystemIdentifiers", "element 1"},
        RuleCase{"wildcard",
                 [](Folder& f) { f.set("EnabledSystemIdentifiers", list({"iMac*", "iMac12,1"})); }, warning,
                 "EnabledSystemIdentifiers", "literally"},
        RuleCase{"unknown_only", [](Folder& f) { f.set("EnabledSystemIdentifiers", list({"iMac99,1"})); },
                 warning, "EnabledSystemIdentifiers", "can NetBoot"},
        RuleCase{"disabled_are_not_read",
                 [](Folder& f) { f.set("DisabledSystemIdentifiers", list({"iMac12,1", "iMac12,2"})); },
                 std::nullopt, "", "", [](const NetBootImage& i) { return i.disabled_models.empty(); }},
        RuleCase{"disabled_of_any_type", [](Folder& f) { f.set("DisabledSystemIdentifiers", number(1)); },
                 std::nullopt},
        RuleCase{"in_both_lists",
                 [](Folder& f) {
                     f.set("EnabledSystemIdentifiers", list({"iMac12,1"}))
                         .set("DisabledSystemIdentifiers", list({"iMac12,1"}));
                 },
                 warning, "DisabledSystemIdentifiers", "both lists",
                 [](const NetBootImage& i) { return i.disabled_models.empty(); }},
        RuleCase{"disabled_are_honoured",
                 [](Folder& f) {
                     f.place.honour_disabled_list = true;
                     f.set("DisabledSystemIdentifiers", list({"iMac12,2", "iMac12,1"}));
                 },
                 std::nullopt, "", "",
                 [](const NetBootImage& i) {
                     return i.disabled_models == std::vector<std::string>{"iMac12,1", "iMac12,2"};
                 }},
        RuleCase{"honoured_list_of_wrong_type",
                 [](Folder& f) {
                     f.place.honour_disabled_list = true;
                     f.set("DisabledSystemIdentifiers", number(1));
                 },
                 error, "DisabledSystemIdentifiers", "an integer"},
        RuleCase{"honoured_and_nobody_left",
                 [](Folder& f) {
                     f.place.honour_disabled_list = true;
                     f.set("EnabledSystemIdentifiers", list({"iMac12,1"}))
                         .set("DisabledSystemIdentifiers", list({"iMac12,1"}));
                 },
                 warning, "EnabledSystemIdentifiers", "disabled as well"}}),
    rule_name);

INSTANTIATE_TEST_SUITE_P(
    Macs, ImageRule,
    testing::ValuesIn(std::vector<RuleCase>{
        RuleCase{"enabled_empty_means_all", [](Folder& f) { f.set("EnabledMACAddresses", list({})); },
                 std::nullopt, "", "", [](const NetBootImage& i) { return i.enabled_macs.empty(); }},
        RuleCase{"enabled_string", [](Folder& f) { f.set("EnabledMACAddresses", text("0:1:2:3:4:5")); },
                 error, "EnabledMACAddresses", "a string"},
        RuleCase{"no_mac", [](Folder& f) { f.set("EnabledMACAddresses", list({"0:1:2:3:4:5", "0:1:2"})); },
                 error, "EnabledMACAddresses", "\"0:1:2\" is no MAC"},
        RuleCase{"disabled_no_mac", [](Folder& f) { f.set("DisabledMACAddresses", list({"x"})); }, error,
                 "DisabledMACAddresses", "no MAC"},
        RuleCase{"compared_as_numbers",
                 [](Folder& f) {
                     f.set("EnabledMACAddresses", list({"0:1:2:3:4:5", "00:01:02:03:04:05", "000102030405"}));
                 },
                 std::nullopt, "", "", [](const NetBootImage& i) { return i.enabled_macs.size() == 1; }},
        RuleCase{"in_both_lists",
                 [](Folder& f) {
                     f.set("EnabledMACAddresses", list({"0:1:2:3:4:5"}))
                         .set("DisabledMACAddresses", list({"0:1:2:3:4:5"}));
                 },
                 warning, "DisabledMACAddresses", "both lists"}}),
    rule_name);

Folder& nfs(Folder& folder, const char* root_path) {
    return folder.set("Type", text("NFS")).set("RootPath", text(root_path));
}
Folder& http(Folder& folder, const char* root_path) {
    return folder.set("Type", text("HTTP")).set("RootPath", text(root_path));
}
std::function<bool(const NetBootImage&)> elsewhere(const char* place) {
    return [place](const NetBootImage& i) { return i.root_path == RootPath{"", place}; };
}

INSTANTIATE_TEST_SUITE_P(
    RootPath, ImageRule,
    testing::ValuesIn(std::vector<RuleCase>{
        RuleCase{"missing", [](Folder& f) { f.remove("RootPath"); }, error, "RootPath", "missing"},
        RuleCase{"number", [](Folder& f) { f.set("RootPath", number(1)); }, error, "RootPath", "an integer"},
        RuleCase{"empty", [](Folder& f) { f.set("RootPath", text("")); }, error, "RootPath", "empty"},
        RuleCase{"no_such_file", [](Folder& f) { f.set("RootPath", text("Other.dmg")); }, error, "RootPath",
                 "no file \"Other.dmg\""},
        RuleCase{"up", [](Folder& f) { f.set("RootPath", text("../NetBoot.dmg")); }, error, "RootPath",
                 "no file"},
        RuleCase{"up_to_a_file",
                 [](Folder& f) { f.set("RootPath", text("../NetBoot.dmg")).add_file("../NetBoot.dmg"); },
                 error, "RootPath", "no file"},
        RuleCase{"a_folder", [](Folder& f) { f.add_file("NetBoot.dmg", FileFacts::Kind::other); }, error,
                 "RootPath", "no regular file"},
        RuleCase{"a_link_out", [](Folder& f) { f.add_file("NetBoot.dmg", FileFacts::Kind::outside); }, error,
                 "RootPath", "leads out"},
        RuleCase{"unreadable_for_us", [](Folder& f) { f.files["NetBoot.dmg"].readable = false; }, warning,
                 "RootPath", "cannot read"},
        RuleCase{"empty_file_pleases_some_servers",
                 [](Folder& f) { f.add_file("NetBoot.dmg", FileFacts::Kind::regular, 0); }, std::nullopt},
        RuleCase{"below", [](Folder& f) { f.set("RootPath", text("sub/a.dmg")).add_file("sub/a.dmg"); },
                 std::nullopt, "", "",
                 [](const NetBootImage& i) { return i.root_path == RootPath{"sub/a.dmg", ""}; }},
        RuleCase{"not_for_boot_files",
                 [](Folder& f) { f.boot_file_only().set("RootPath", text("NetBoot.dmg")); }, warning,
                 "RootPath", "no root", [](const NetBootImage& i) { return !i.root_path; }},
        RuleCase{"a_file_named_like_a_place",
                 [](Folder& f) { nfs(f, "server.example:/a:b").add_file("server.example:/a:b"); },
                 std::nullopt, "", "",
                 [](const NetBootImage& i) { return i.root_path == RootPath{"server.example:/a:b", ""}; }},
        RuleCase{"nfs_mount", [](Folder& f) { nfs(f, "10.0.1.5:/exports"); }, std::nullopt, "", "",
                 elsewhere("nfs:10.0.1.5:/exports")},
        RuleCase{"nfs_mount_and_image", [](Folder& f) { nfs(f, "server.example:/exports:Lion/NetBoot.dmg"); },
                 std::nullopt, "", "", elsewhere("nfs:10.0.1.7:/exports:Lion/NetBoot.dmg")},
        RuleCase{"nfs_escaped_colon", [](Folder& f) { nfs(f, R"(10.0.1.5:/a\:b:c\:d)"); }, std::nullopt, "",
                 "", elsewhere(R"(nfs:10.0.1.5:/a\:b:c\:d)")},
        RuleCase{"nfs_backslash_alone", [](Folder& f) { nfs(f, R"(10.0.1.5:/a\b\\:c:d)"); }, std::nullopt, "",
                 "", elsewhere(R"(nfs:10.0.1.5:/a\b\\:c:d)")},
        RuleCase{"nfs_trailing_backslash", [](Folder& f) { nfs(f, R"(10.0.1.5:/a:b\)"); }, std::nullopt, "",
                 "", elsewhere(R"(nfs:10.0.1.5:/a:b\)")},
        RuleCase{"nfs_with_prefix", [](Folder& f) { nfs(f, "nfs:10.0.1.5:/exports"); }, error, "RootPath",
                 "starts with nfs:"},
        RuleCase{"nfs_relative_mount", [](Folder& f) { nfs(f, "10.0.1.5:exports"); }, error, "RootPath",
                 "neither"},
        RuleCase{"nfs_no_host", [](Folder& f) { nfs(f, ":/exports"); }, error, "RootPath", "no host"},
        RuleCase{"nfs_empty_image", [](Folder& f) { nfs(f, "10.0.1.5:/exports:"); }, error, "RootPath",
                 "neither"},
        RuleCase{"nfs_four_parts", [](Folder& f) { nfs(f, "10.0.1.5:/a:b:c"); }, error, "RootPath",
                 "neither"},
        RuleCase{"nfs_unknown_host", [](Folder& f) { nfs(f, "nowhere.example:/a"); }, error, "RootPath",
                 "does not resolve"},
        RuleCase{"nfs_with_http_address", [](Folder& f) { nfs(f, "http://server.example/a"); }, error,
                 "RootPath", "Type is NFS"},
        RuleCase{"http", [](Folder& f) { http(f, "http://server.example/a/b.dmg"); }, std::nullopt, "", "",
                 elsewhere("http://10.0.1.7/a/b.dmg")},
        RuleCase{"http_port_and_user", [](Folder& f) { http(f, "http://user:pass@server.example:8080/a"); },
                 std::nullopt, "", "", elsewhere("http://user:pass@10.0.1.7:8080/a")},
        RuleCase{"http_escapes_the_rest", [](Folder& f) { http(f, "http://10.0.1.5/a b%20c%zz"); },
                 std::nullopt, "", "", elsewhere("http://10.0.1.5/a%20b%20c%25zz")},
        RuleCase{"http_user_alone", [](Folder& f) { http(f, "http://user@server.example/a"); }, error,
                 "RootPath", "together"},
        RuleCase{"http_no_path", [](Folder& f) { http(f, "http://server.example"); }, error, "RootPath",
                 "names no file"},
        RuleCase{"http_no_host", [](Folder& f) { http(f, "http:///a"); }, error, "RootPath", "no host"},
        RuleCase{"http_bad_port", [](Folder& f) { http(f, "http://server.example:99999/a"); }, error,
                 "RootPath", "port"},
        RuleCase{"http_unknown_host", [](Folder& f) { http(f, "http://nowhere.example/a"); }, error,
                 "RootPath", "does not resolve"},
        RuleCase{"https", [](Folder& f) { http(f, "https://server.example/a"); }, error, "RootPath",
                 "plain HTTP"},
        RuleCase{"http_with_nfs_place", [](Folder& f) { http(f, "server.example:/a"); }, error, "RootPath",
                 "neither"}}),
    rule_name);

INSTANTIATE_TEST_SUITE_P(
    LoadBalanceServer, ImageRule,
    testing::ValuesIn(std::vector<RuleCase>{
        RuleCase{"address", [](Folder& f) { f.set("LoadBalanceServer", text("10.0.9.9")); }, std::nullopt, "",
                 "", [](const NetBootImage& i) { return i.load_balance_server == Ipv4Address(10, 0, 9, 9); }},
        RuleCase{"empty", [](Folder& f) { f.set("LoadBalanceServer", text("")); }, std::nullopt, "", "",
                 [](const NetBootImage& i) { return !i.load_balance_server; }},
        RuleCase{"unresolvable", [](Folder& f) { f.set("LoadBalanceServer", text("nowhere.example")); },
                 warning, "LoadBalanceServer", "does not resolve",
                 [](const NetBootImage& i) { return !i.load_balance_server; }},
        RuleCase{"number", [](Folder& f) { f.set("LoadBalanceServer", number(1)); }, error,
                 "LoadBalanceServer", "an integer"}}),
    rule_name);

/// "nbi/NetBootSP0/" + name + "/i386/booter" has 27 octets around the name.
INSTANTIATE_TEST_SUITE_P(
    Paths, ImageRule,
    testing::ValuesIn(std::vector<RuleCase>{
        RuleCase{"tftp_longest", [](Folder& f) { f.place.folder = std::string(96, 'x') + ".nbi"; },
                 std::nullopt, "", "",
                 [](const NetBootImage& i) { return tftp_path(i, i.boot_files[0]).size() == 127; }},
        RuleCase{"tftp_too_long", [](Folder& f) { f.place.folder = std::string(97, 'x') + ".nbi"; }, error,
                 "BootFile", "TFTP path has 128"},
        RuleCase{"external_tftp_path_counts",
                 [](Folder& f) { f.place.external_tftp_folder = std::string(120, 'x') + "/Lion.nbi"; }, error,
                 "BootFile", "TFTP path"},
        RuleCase{"root_too_long",
                 [](Folder& f) {
                     const std::string name = std::string(210, 'x') + ".dmg";
                     f.set("RootPath", text(name)).add_file(name);
                 },
                 error, "RootPath", "root path has"},
        RuleCase{"nfs_root_with_a_backslash_last",
                 [](Folder& f) {
                     f.place.share_path = "/srv/images/odd\\";
                     f.set("Type", text("NFS"));
                 },
                 error, "RootPath", "ends in a backslash"},
        RuleCase{"http_root_with_a_backslash_last",
                 [](Folder& f) {
                     f.place.share_path = "/srv/images/odd\\";
                     f.set("Type", text("HTTP"));
                 },
                 std::nullopt},
        RuleCase{"folder_with_a_line_feed", [](Folder& f) { f.place.folder = "a\nb.nbi"; }, error, "",
                 "control characters"}}),
    rule_name);

TEST(ImageRules, TheLongestRootPathCountsTheLongestAddress) {
    Folder folder;
    const std::string name =
        std::string(255 - std::string("http://255.255.255.255/NetBoot/NetBootSP0/Lion.nbi/").size(), 'x');
    folder.set("RootPath", text(name)).add_file(name);
    const Outcome outcome = read(folder);
    ASSERT_TRUE(outcome.image) << outcome.texts();
    EXPECT_EQ(root_path_option(*outcome.image, Ipv4Address::broadcast()).size(), 255U);
}

TEST(ImageRules, NamesAllThatIsWrongAtOnce) {
    Folder folder;
    folder.remove("Name").set("Index", number(0)).set("Type", text("AFP")).files.erase("i386/booter");
    EXPECT_EQ(read(folder).problems.size(), 4U) << read(folder).texts();
}

TEST(ImageRules, RefusesWhatIsNoDictionary) {
    std::vector<ImageProblem> problems;
    const Folder folder;
    EXPECT_FALSE(netboot_image_from(PlistValue(PlistArray{}), folder.place, {}, problems));
    ASSERT_EQ(problems.size(), 1U);
    EXPECT_EQ(problems[0].text(),
              "error: /srv/images/Lion.nbi/NBImageInfo.plist: the file holds an array, not a dictionary; "
              "write the keys inside <dict> ... </dict>");
}

Folder with_two_programs() {
    Folder folder;
    folder.boot_file_only().set("PomonaBootFileIA32", text("booter-ia32")).add_file("i386/booter-ia32");
    folder.programs["i386/booter-ia32"] = {.is_container = false,
                                           .slices = {{codec::EfiMachine::ia32, 0, 100}}};
    return folder;
}

TEST(ImageRules, FirmwareOf32BitsMayHaveAFileOfItsOwn) {
    const Outcome outcome = read(with_two_programs());
    EXPECT_THAT(outcome.problems, IsEmpty()) << outcome.texts();
    ASSERT_TRUE(outcome.image);
    ASSERT_EQ(outcome.image->boot_files.size(), 2U);
    EXPECT_EQ(outcome.image->boot_files[0].width, EfiWidth::x64);
    EXPECT_EQ(
        outcome.image->boot_files[1],
        (BootFile{.architecture = "i386", .path = "i386/booter-ia32", .width = EfiWidth::ia32, .size = 100}));
    EXPECT_EQ(outcome.image->boot_file_for("i386")->path, "i386/booter");
}

TEST(ImageRules, RefuseAnOddFileFor32Bits) {
    struct Case {
        std::function<void(Folder&)> spoil;
        const char* says;
    };
    const codec::EfiSlice x64{codec::EfiMachine::x64, 0, 100};
    const codec::EfiSlice ia32{codec::EfiMachine::ia32, 200, 100};
    for (const Case& one : {
             Case{[](Folder& f) { f.set("PomonaBootFileIA32", text("../x")); },
                  "error: /srv/images/Lion.nbi/NBImageInfo.plist: PomonaBootFileIA32: \"../x\" is no plain "
                  "name of a "
                  "file; write a name such as booter-ia32, without .., backslash or a slash in front"},
             Case{[](Folder& f) { f.files.erase("i386/booter-ia32"); },
                  "error: /srv/images/Lion.nbi/i386/booter-ia32: PomonaBootFileIA32: the boot file for i386 "
                  "is "
                  "missing; put it there, or correct PomonaBootFileIA32 or Architectures"},
             Case{[&](Folder& f) { f.programs["i386/booter-ia32"].slices = {x64}; },
                  "error: /srv/images/Lion.nbi/NBImageInfo.plist: PomonaBootFileIA32: \"booter-ia32\" is no "
                  "program "
                  "for 32-bit EFI alone; name a plain ia32 program, or remove this key"},
             Case{[&](Folder& f) { f.programs["i386/booter-ia32"].slices = {x64, ia32}; },
                  "error: /srv/images/Lion.nbi/NBImageInfo.plist: PomonaBootFileIA32: \"booter-ia32\" is no "
                  "program "
                  "for 32-bit EFI alone; name a plain ia32 program, or remove this key"},
             Case{[&](Folder& f) { f.program.slices = {x64, ia32}; },
                  "error: /srv/images/Lion.nbi/NBImageInfo.plist: PomonaBootFileIA32: the BootFile beside it "
                  "runs on "
                  "32-bit EFI itself; give a BootFile for 64-bit EFI only, or remove this key"},
             Case{[](Folder& f) { f.set("PomonaBootFileIA32", number(1)); },
                  "error: /srv/images/Lion.nbi/NBImageInfo.plist: PomonaBootFileIA32: the value is an "
                  "integer, not a "
                  "string; write it like <string>...</string>"},
         }) {
        Folder folder = with_two_programs();
        one.spoil(folder);
        const Outcome outcome = read(folder);
        EXPECT_FALSE(outcome.image) << one.says;
        EXPECT_EQ(outcome.texts(), std::string(one.says) + "\n");
    }
    Folder folder = with_two_programs();
    folder.set("PomonaBootFileIA32", text(""));
    EXPECT_EQ(read(folder).image->boot_files.size(), 1U) << "an empty name is none";
}

}  // namespace
}  // namespace pomona::model

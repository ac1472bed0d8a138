#include <pomona/codec/plist.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

namespace pomona::codec {
namespace {

using testing::HasSubstr;

base::Result<PlistValue> parse(std::string_view text) {
    return parse_plist(base::as_bytes(text));
}

std::string in_plist(std::string_view inner) {
    return "<plist version=\"1.0\">" + std::string(inner) + "</plist>";
}

TEST(PlistXml, ReadsEveryType) {
    const auto plist = parse(
        "\xef\xbb\xbf<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
        "<!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" "
        "\"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n"
        "<plist version=\"1.0\">\n<dict>\n"
        "<key>text</key><string>a &amp; b &#233; <![CDATA[<c>]]></string>\n"
        "<key>blank</key><string>  </string>\n"
        "<key>number</key><integer> -42 </integer>\n"
        "<key>hex</key><integer>0x1001</integer>\n"
        "<key>real</key><real>1.5</real>\n"
        "<key>yes</key><true/><key>no</key><false></false>\n"
        "<key>data</key><data>\n\tAQID\n\tBA==\n</data>\n"
        "<key>date</key><date>2011-03-04T05:06:07Z</date>\n"
        "<!-- a remark --><key>list</key><array><string>x</string><array/></array>\n"
        "</dict>\n</plist>\n");
    ASSERT_TRUE(plist) << plist.error().text();
    const PlistDict& dict = *plist->get<PlistDict>();
    EXPECT_EQ(*dict.find("text")->get<std::string>(), "a & b \xc3\xa9 <c>");
    EXPECT_EQ(*dict.find("blank")->get<std::string>(), "  ");
    EXPECT_EQ(*dict.find("number")->get<std::int64_t>(), -42);
    EXPECT_EQ(*dict.find("hex")->get<std::int64_t>(), 4097);
    EXPECT_EQ(*dict.find("real")->get<double>(), 1.5);
    EXPECT_EQ(*dict.find("yes")->get<bool>(), true);
    EXPECT_EQ(*dict.find("no")->get<bool>(), false);
    EXPECT_EQ(*dict.find("data")->get<PlistData>(), (PlistData{1, 2, 3, 4}));
    using namespace std::chrono_literals;
    EXPECT_EQ(*dict.find("date")->get<PlistDate>(), std::chrono::sys_days(2011y / 3 / 4) + 5h + 6min + 7s);
    EXPECT_EQ(dict.find("list")->get<PlistArray>()->size(), 2U);
    EXPECT_EQ(dict.find("other"), nullptr);
    EXPECT_EQ(dict.entries.front().key, "text");
}

struct RefusedCase {
    const char* name;
    std::string text;
    const char* where;
    const char* what;
};

class PlistXmlRefuses : public testing::TestWithParam<RefusedCase> {};

TEST_P(PlistXmlRefuses, WithPlaceAndRemedy) {
    const auto plist = parse(GetParam().text);
    ASSERT_FALSE(plist);
    EXPECT_THAT(plist.error().where, HasSubstr(GetParam().where));
    EXPECT_THAT(plist.error().what, HasSubstr(GetParam().what));
    EXPECT_NE(plist.error().remedy, "");
}

std::string nested(std::size_t levels) {
    std::string text;
    for (std::size_t i = 0; i < levels; ++i) text += "<array>";
    for (std::size_t i = 0; i < levels; ++i) text += "</array>";
    return in_plist(text);
}

const std::string entities =
    "<?xml version=\"1.0\"?>\n<!DOCTYPE plist [ <!ENTITY a \"aaaaaaaaaa\"> <!ENTITY b \"&a;&a;&a;\"> ]>\n"
    "<plist><string>&b;</string></plist>";

INSTANTIATE_TEST_SUITE_P(
    Table, PlistXmlRefuses,
    testing::ValuesIn(std::vector<RefusedCase>{
        RefusedCase{"empty", " \n", "", "empty"},
        RefusedCase{"entity_declarations", entities, "line 2", "declares entities"},
        RefusedCase{
            "external_entity",
            "<!DOCTYPE p [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><plist><string>&x;</string></plist>",
            "line 1", "declares entities"},
        RefusedCase{"unknown_entity", in_plist("<string>a &nbsp; b</string>"), "line 1", "entity reference"},
        RefusedCase{"bare_ampersand", in_plist("<string>a & b</string>"), "line 1", "entity reference"},
        RefusedCase{"character_zero", in_plist("<string>&#0;</string>"), "line 1", "entity reference"},
        RefusedCase{"surrogate", in_plist("<string>&#xd800;</string>"), "line 1", "entity reference"},
        RefusedCase{"too_deep", nested(17), "line 1", "nested deeper"},
        RefusedCase{"far_too_deep", nested(60'000), "line 1", "nested deeper"},
        RefusedCase{"too_large", std::string((1U << 20U) + 1, ' '), "", "octets"},
        RefusedCase{"latin_1", in_plist("\n<string>caf\xe9</string>"), "line 2", "not UTF-8"},
        RefusedCase{"utf_16", std::string("\xff\xfe<\0", 4), "line 1", "UTF-16"},
        RefusedCase{"nul", in_plist(std::string("<string>\0</string>", 18)), "line 1", "NUL"},
        RefusedCase{"cut_off", "<plist>\n<dict>\n<key>Name</key>\n", "line 3", "well-formed"},
        RefusedCase{"cut_off_in_tag", "<plist>\n<dict", "line 2", "no end"},
        RefusedCase{"unclosed_comment", "<plist><!-- <dict/></plist>", "line 1", "comment"},
        RefusedCase{"crossed_tags", in_plist("<dict><array></dict></array>"), "line 1", "well-formed"},
        RefusedCase{"nothing_inside", in_plist(""), "", "no value"},
        RefusedCase{"two_values", in_plist("<dict/>\n<dict/>"), "line 2", "more than one value"},
        RefusedCase{"two_roots", "<plist><dict/></plist><plist/>", "line 1", "more than one value"},
        RefusedCase{"unknown_tag", in_plist("<dict>\n<key>K</key>\n<number>1</number></dict>"), "line 3, K",
                    "<number>"},
        RefusedCase{"key_without_value", in_plist("<dict><key>A</key><key>B</key><true/></dict>"), "line 1",
                    "\"A\" has no value"},
        RefusedCase{"last_key_without_value", in_plist("<dict><key>A</key></dict>"), "line 1",
                    "\"A\" has no value"},
        RefusedCase{"value_without_key", in_plist("<dict><true/></dict>"), "line 1", "no key"},
        RefusedCase{"key_twice", in_plist("<dict><key>A</key><true/>\n<key>A</key><true/></dict>"), "line 2",
                    "twice"},
        RefusedCase{"text_in_dict", in_plist("<dict>stray</dict>"), "line 1", "text stands"},
        RefusedCase{"text_in_array", in_plist("<array>stray</array>"), "line 1", "text stands"},
        RefusedCase{"tag_in_string", in_plist("<string>a<b/></string>"), "line 1", "inside <string>"},
        RefusedCase{"words_as_integer", in_plist("<dict><key>Index</key><integer>many</integer></dict>"),
                    "Index", "no integer"},
        RefusedCase{"empty_integer", in_plist("<integer/>"), "line 1", "no integer"},
        RefusedCase{"huge_integer", in_plist("<integer>9223372036854775808</integer>"), "line 1",
                    "no integer"},
        RefusedCase{"infinite_real", in_plist("<real>inf</real>"), "line 1", "finite"},
        RefusedCase{"bad_date", in_plist("<date>2011-02-30T00:00:00Z</date>"), "line 1", "no date"},
        RefusedCase{"bad_data", in_plist("<data>A*==</data>"), "line 1", "base64"},
        RefusedCase{"cut_data", in_plist("<data>AAAAA</data>"), "line 1", "base64"},
        RefusedCase{"text_in_true", in_plist("<true>yes</true>"), "line 1", "<true>"},
        RefusedCase{"in_a_nested_place",
                    in_plist("<dict><key>A</key><array><dict><key>B</key><integer/></dict></array></dict>"),
                    "line 1, A[0].B", "no integer"},
        RefusedCase{"old_text_form", "{ Name = \"x\"; }", "", "old text form"},
        RefusedCase{"no_xml", "hello", "", ""}}),
    [](const auto& test) { return test.param.name; });

TEST(PlistXml, AcceptsTheLimits) {
    EXPECT_TRUE(parse(nested(16)));
    EXPECT_TRUE(parse(in_plist("<integer>-9223372036854775808</integer>")));
    EXPECT_TRUE(parse(in_plist("<integer>9223372036854775807</integer>")));
    EXPECT_TRUE(parse("<dict/>")) << "without <plist>, as CoreFoundation takes it";
    std::string text = in_plist("<dict/>");
    text.resize(largest_plist, '\n');
    EXPECT_TRUE(parse(text));
}

TEST(PlistXml, HostileFilesCostLittle) {
    std::string open_tags;
    while (open_tags.size() + 3 <= largest_plist) open_tags += "<a>";
    std::string keys = "<dict>";
    for (int i = 0; keys.size() + 60 < largest_plist; ++i)
        keys += "<key>" + std::to_string(i) + "</key><true/>";
    keys += "</dict>";
    const auto start = std::chrono::steady_clock::now();
    EXPECT_FALSE(parse(open_tags));
    EXPECT_TRUE(parse(keys));
    EXPECT_FALSE(parse(std::string(largest_plist, '<')));
    EXPECT_FALSE(parse(std::string(largest_plist, '&')));
    // Milliseconds in fact; sanitizers on a busy machine need room.
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
}

TEST(PlistXml, WritesWhatItReads) {
    PlistDict dict;
    dict.add("z <&> \r", PlistValue(std::string("line\r\n\ttab \x01 <&>\"' \xc3\xa9")));
    dict.add("", PlistValue(std::string()));
    dict.add("blank", PlistValue(std::string(" \n ")));
    dict.add("small", PlistValue(std::numeric_limits<std::int64_t>::min()));
    dict.add("real", PlistValue(0.1));
    dict.add("bool", PlistValue(false));
    for (std::size_t size = 0; size < 5; ++size) {
        dict.add("data" + std::to_string(size), PlistValue(PlistData(size, 0xfe)));
    }
    dict.add("date", PlistValue(PlistDate(std::chrono::seconds(-62135596800))));
    dict.add("empty", PlistValue(PlistDict{}));
    PlistArray array;
    array.emplace_back(PlistArray{});
    array.emplace_back(dict);
    const PlistValue value{array};
    const std::string written = write_xml_plist(value);
    const auto again = parse(written);
    ASSERT_TRUE(again) << again.error().text();
    EXPECT_EQ(*again, value);
}

TEST(PlistXml, WritesAppleLayout) {
    PlistDict dict;
    dict.add("Index", PlistValue(std::int64_t{4097}));
    dict.add("IsDefault", PlistValue(true));
    EXPECT_EQ(write_xml_plist(PlistValue(dict)),
              "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
              "<!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" "
              "\"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n"
              "<plist version=\"1.0\">\n<dict>\n\t<key>Index</key>\n\t<integer>4097</integer>\n"
              "\t<key>IsDefault</key>\n\t<true/>\n</dict>\n</plist>\n");
}

}  // namespace
}  // namespace pomona::codec

#include <pomona/codec/tftp.hpp>

#include <gtest/gtest.h>

#include <array>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

namespace pomona::codec {
namespace {

using namespace std::string_view_literals;

base::Result<TftpPacket> parse(std::string_view octets) {
    return parse_tftp(base::as_bytes(octets));
}

template <typename Packet>
std::string written(const Packet& packet) {
    std::array<std::uint8_t, 512> room{};
    base::ByteWriter to(room);
    write_tftp(to, packet);
    EXPECT_TRUE(to.ok());
    return std::string(base::as_text(to.written()));
}

struct RequestCase {
    std::string_view name;
    std::string_view octets;
    TftpRequest expected;
};
std::ostream& operator<<(std::ostream& out, const RequestCase& c) {
    return out << c.name;
}

class TftpRequests : public testing::TestWithParam<RequestCase> {};

TEST_P(TftpRequests, AreRead) {
    const auto packet = parse(GetParam().octets);
    ASSERT_TRUE(packet) << packet.error().text();
    ASSERT_TRUE(std::holds_alternative<TftpRequest>(*packet));
    EXPECT_EQ(std::get<TftpRequest>(*packet), GetParam().expected);
}

INSTANTIATE_TEST_SUITE_P(
    Table, TftpRequests,
    testing::ValuesIn(std::vector<RequestCase>{
        RequestCase{"plain", "\0\1file\0octet\0"sv, {false, "file", TftpMode::octet, {}}},
        RequestCase{"write", "\0\2file\0octet\0"sv, {true, "file", TftpMode::octet, {}}},
        RequestCase{"netascii", "\0\1file\0NetASCII\0"sv, {false, "file", TftpMode::netascii, {}}},
        RequestCase{"grub",
                    "\0\1/boot//x.efi\0octet\0blksize\0001024\0tsize\0000\0"sv,
                    {false, "/boot//x.efi", TftpMode::octet, {"1024", {}, "0", {}}}},
        RequestCase{"uefi",
                    "\0\1a\0octet\0tsize\0000\0blksize\0001468\0windowsize\0004\0"sv,
                    {false, "a", TftpMode::octet, {"1468", {}, "0", "4"}}},
        RequestCase{"upper-case names",
                    "\0\1a\0OCTET\0BLKSIZE\0009\0TimeOut\0003\0"sv,
                    {false, "a", TftpMode::octet, {"9", "3", {}, {}}}},
        RequestCase{"unknown option",
                    "\0\1a\0octet\0multicast\0\0blksize\0009\0"sv,
                    {false, "a", TftpMode::octet, {"9", {}, {}, {}}}},
        RequestCase{"the first of a doubled option",
                    "\0\1a\0octet\0blksize\0009\0blksize\00010\0"sv,
                    {false, "a", TftpMode::octet, {"9", {}, {}, {}}}},
        RequestCase{"padded with zeros", "\0\1a\0octet\0\0\0\0\0\0"sv, {false, "a", TftpMode::octet, {}}},
        RequestCase{
            "empty value", "\0\1a\0octet\0tsize\0\0"sv, {false, "a", TftpMode::octet, {{}, {}, "", {}}}}}));

struct BadCase {
    std::string_view name;
    std::string_view octets;
};
std::ostream& operator<<(std::ostream& out, const BadCase& c) {
    return out << c.name;
}

class TftpMalformed : public testing::TestWithParam<BadCase> {};

TEST_P(TftpMalformed, IsAnError) {
    EXPECT_FALSE(parse(GetParam().octets));
}

INSTANTIATE_TEST_SUITE_P(
    Table, TftpMalformed,
    testing::ValuesIn(std::vector<BadCase>{
        BadCase{"nothing", ""sv}, BadCase{"half an opcode", "\0"sv}, BadCase{"opcode 0", "\0\0"sv},
        BadCase{"opcode 7", "\0\7"sv}, BadCase{"opcode 257", "\1\1a\0octet\0"sv},
        BadCase{"request alone", "\0\1"sv}, BadCase{"name without end", "\0\1file"sv},
        BadCase{"empty name", "\0\1\0octet\0"sv}, BadCase{"no mode", "\0\1file\0"sv},
        BadCase{"mode without end", "\0\1file\0octet"sv}, BadCase{"mail", "\0\1file\0mail\0"sv},
        BadCase{"mode octets", "\0\1file\0octets\0"sv},
        BadCase{"option without value", "\0\1file\0octet\0blksize\0"sv},
        BadCase{"option name without end", "\0\1file\0octet\0blksize"sv},
        BadCase{"option value without end", "\0\1file\0octet\0blksize\0009"sv},
        BadCase{"short ACK", "\0\4\1"sv}, BadCase{"short DATA", "\0\3\1"sv},
        BadCase{"short ERROR", "\0\5\1"sv}, BadCase{"OACK with half an option", "\0\6blksize\0"sv}}));

TEST(Tftp, ReadsTheSmallPackets) {
    EXPECT_EQ(std::get<TftpAck>(*parse("\0\4\xff\xfe"sv)).block, 0xfffe);
    EXPECT_EQ(std::get<TftpAck>(*parse("\0\4\0\1padding"sv)).block, 1);
    const auto data = parse("\0\3\1\2abc"sv);
    EXPECT_EQ(std::get<TftpData>(*data).block, 0x0102);
    EXPECT_EQ(base::as_text(std::get<TftpData>(*data).payload), "abc");
    EXPECT_TRUE(std::get<TftpData>(*parse("\0\3\1\2"sv)).payload.empty());
    EXPECT_EQ(std::get<TftpError>(*parse("\0\5\0\1gone\0"sv)), (TftpError{1, "gone"}));
    EXPECT_EQ(std::get<TftpError>(*parse("\0\5\0\1gone"sv)), (TftpError{1, "gone"})) << "without its NUL";
    EXPECT_EQ(std::get<TftpOack>(*parse("\0\6tsize\0007\0"sv)), (TftpOack{{{}, {}, "7", {}}}));
}

TEST(Tftp, WritesThemByteForByte) {
    EXPECT_EQ(written(TftpRequest{false, "a", TftpMode::netascii, {"9", "2", "0", "4"}}),
              "\0\1a\0netascii\0tsize\0000\0blksize\0009\0timeout\0002\0windowsize\0004\0"sv);
    EXPECT_EQ(written(TftpAck{0x1234}), "\0\4\x12\x34"sv);
    EXPECT_EQ(written(TftpData{0x1234, base::as_bytes("xy")}), "\0\3\x12\x34xy"sv);
    EXPECT_EQ(written(TftpError{1, "gone"}), "\0\5\0\1gone\0"sv) << "error texts end in NUL";
    std::array<std::uint8_t, 4> header{};
    put_tftp_data_header(header.data(), 0xabcd);
    EXPECT_EQ(base::as_text(header), "\0\3\xab\xcd"sv);
}

struct TermsCase {
    std::string_view name;
    TftpOptions asked;
    TftpTerms granted;
};
std::ostream& operator<<(std::ostream& out, const TermsCase& c) {
    return out << c.name;
}

class TftpNegotiation : public testing::TestWithParam<TermsCase> {};

TEST_P(TftpNegotiation, Grants) {
    const auto terms = negotiate_tftp(GetParam().asked, {1456, 64}, 1000);
    ASSERT_TRUE(terms) << terms.error().text();
    EXPECT_EQ(*terms, GetParam().granted);
}

INSTANTIATE_TEST_SUITE_P(
    Table, TftpNegotiation,
    testing::ValuesIn(std::vector<TermsCase>{
        TermsCase{"nothing", {}, {}}, TermsCase{"smaller block", {"8", {}, {}, {}}, {8, {}, {}, {}}},
        TermsCase{"block as large as allowed", {"1456", {}, {}, {}}, {1456, {}, {}, {}}},
        TermsCase{"block too large for Ethernet", {"8192", {}, {}, {}}, {1456, {}, {}, {}}},
        TermsCase{"block beyond the RFC", {"99999999999999", {}, {}, {}}, {1456, {}, {}, {}}},
        TermsCase{"window", {{}, {}, {}, "16"}, {{}, 16, {}, {}}},
        TermsCase{"window too large", {{}, {}, {}, "65535"}, {{}, 64, {}, {}}},
        TermsCase{"timeout", {{}, "255", {}, {}}, {{}, {}, 255, {}}},
        TermsCase{"size", {{}, {}, "0", {}}, {{}, {}, {}, 1000}},
        TermsCase{"size with a strange value", {{}, {}, "x", {}}, {{}, {}, {}, 1000}},
        TermsCase{"all", {"1024", "1", "0", "4"}, {1024, 4, 1, 1000}}}));

class TftpRefusedOptions : public testing::TestWithParam<TermsCase> {};

TEST_P(TftpRefusedOptions, AreErrors) {
    EXPECT_FALSE(negotiate_tftp(GetParam().asked, {1456, 64}, 1000));
}

INSTANTIATE_TEST_SUITE_P(
    Table, TftpRefusedOptions,
    testing::ValuesIn(std::vector<TermsCase>{
        TermsCase{"block 7", {"7", {}, {}, {}}, {}}, TermsCase{"block 0", {"0", {}, {}, {}}, {}},
        TermsCase{"negative block", {"-512", {}, {}, {}}, {}},
        TermsCase{"block as text", {"big", {}, {}, {}}, {}}, TermsCase{"empty block", {"", {}, {}, {}}, {}},
        TermsCase{"block with blank", {" 512", {}, {}, {}}, {}},
        TermsCase{"block with tail", {"512k", {}, {}, {}}, {}},
        TermsCase{"more digits than a number has", {"512000000000000000000", {}, {}, {}}, {}},
        TermsCase{"window 0", {{}, {}, {}, "0"}, {}}, TermsCase{"hex window", {{}, {}, {}, "0x4"}, {}},
        TermsCase{"timeout 0", {{}, "0", {}, {}}, {}}, TermsCase{"timeout 256", {{}, "256", {}, {}}, {}}}));

TEST(Tftp, TheSizeIsNotGrantedWhereItIsNotKnown) {
    const auto terms = negotiate_tftp({{}, {}, "0", {}}, {}, std::nullopt);
    ASSERT_TRUE(terms);
    EXPECT_FALSE(terms->wants_oack());
}

TEST(Tftp, TheOackHasWhatWasGrantedAndNothingElse) {
    std::array<std::uint8_t, 128> room{};
    base::ByteWriter to(room);
    write_tftp_oack(to, {1456, 64, 3, 18446744073709551615ULL});
    EXPECT_TRUE(to.ok());
    EXPECT_EQ(base::as_text(to.written()),
              "\0\6tsize\00018446744073709551615\0blksize\0001456\0timeout\0003\0windowsize\00064\0"sv);
    base::ByteWriter again(room);
    write_tftp_oack(again, {{}, {}, {}, 0});
    EXPECT_EQ(base::as_text(again.written()), "\0\6tsize\0000\0"sv);
}

TEST(Tftp, DefaultsHoldWhereNothingWasGranted) {
    const TftpTerms terms;
    EXPECT_EQ(terms.blksize(), 512);
    EXPECT_EQ(terms.windowsize(), 1);
    EXPECT_FALSE(terms.wants_oack());
}

}  // namespace
}  // namespace pomona::codec

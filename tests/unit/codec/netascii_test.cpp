#include <pomona/codec/netascii.hpp>

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace pomona::codec {
namespace {

using namespace std::string_view_literals;

/// Encodes in pieces of the given sizes, as a transfer does.
std::string encode(std::string_view text, std::size_t in_piece, std::size_t out_piece) {
    NetasciiEncoder encoder;
    std::string wire;
    std::vector<std::uint8_t> out(out_piece);
    while (!text.empty() || encoder.pending()) {
        const auto done = encoder.encode(base::as_bytes(text.substr(0, in_piece)), out);
        wire += base::as_text({out.data(), done.produced});
        text.remove_prefix(done.consumed);
    }
    return wire;
}

TEST(Netascii, LineEndsAndReturnsBecomePairs) {
    EXPECT_EQ(encode("a\nb\rc\r\n\0d"sv, 100, 100), "a\r\nb\r\0c\r\0\r\n\0d"sv);
    EXPECT_EQ(encode("", 1, 1), "");
}

TEST(Netascii, PiecesMakeNoDifference) {
    const std::string_view text = "\n\n\r\rabc\r\ndef\n"sv;
    const std::string whole = encode(text, 100, 100);
    for (std::size_t in = 1; in < 6; ++in) {
        for (std::size_t out = 1; out < 6; ++out) EXPECT_EQ(encode(text, in, out), whole) << in << ' ' << out;
    }
}

TEST(Netascii, ACopyIsACheckpoint) {
    NetasciiEncoder encoder;
    std::vector<std::uint8_t> out(1);
    EXPECT_EQ(encoder.encode(base::as_bytes("\nx"), out).consumed, 1U);
    ASSERT_TRUE(encoder.pending());
    NetasciiEncoder checkpoint = encoder;
    EXPECT_EQ(encoder.encode(base::as_bytes("x"), out).produced, 1U);
    EXPECT_EQ(out[0], '\n');
    EXPECT_FALSE(encoder.pending());
    EXPECT_EQ(checkpoint.encode({}, out).produced, 1U);
    EXPECT_EQ(out[0], '\n');
}

}  // namespace
}  // namespace pomona::codec

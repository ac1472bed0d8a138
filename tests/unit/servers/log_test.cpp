#include "servers/log.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <limits>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace pomona::servers {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::MatchesRegex;
using testing::StartsWith;

/// The log goes to a socket that keeps the border of each write.
class Log : public testing::Test {
  protected:
    void SetUp() override {
        int pair[2];
        ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
        reader_ = pair[0];
        writer_ = pair[1];
        const int room = 4 << 20;
        ::setsockopt(writer_, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
        configure_log({.level = Level::info, .format = LogFormat::text, .descriptor = writer_});
    }
    void TearDown() override {
        configure_log({});
        ::close(reader_);
        ::close(writer_);
    }
    void use(LogFormat format, Level level = Level::info) {
        configure_log({.level = level, .format = format, .descriptor = writer_});
    }
    std::vector<std::string> writes() const {
        std::vector<std::string> all;
        std::string octets(1 << 20, '\0');
        for (;;) {
            const ssize_t got = ::recv(reader_, octets.data(), octets.size(), MSG_DONTWAIT);
            if (got <= 0) return all;
            all.push_back(octets.substr(0, static_cast<std::size_t>(got)));
        }
    }
    std::string written() const {
        std::string all;
        for (const std::string& one : writes()) all += one;
        return all;
    }
    /// What follows time, level and event.
    std::string fields_of(std::initializer_list<Field> fields) const {
        log_event(Level::info, "event", fields);
        const std::string line = written();
        EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1) << line;
        const std::size_t at = line.find(" event ");
        return at == std::string::npos ? line : line.substr(at + 7, line.size() - at - 8);
    }

    int reader_ = -1;
    int writer_ = -1;
};

TEST_F(Log, WritesTimeLevelEventAndFields) {
    log_event(Level::warn, "decision", {{"mac", "40:6c:8f:37:95:27"}, {"image", "Ubuntu 22.04"}});
    EXPECT_THAT(written(), MatchesRegex("20[0-9][0-9]-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9]"
                                        "\\.[0-9][0-9][0-9]Z warn decision "
                                        "mac=40:6c:8f:37:95:27 image=\"Ubuntu 22.04\"\n"));
}

TEST_F(Log, TimeIsNow) {
    const std::time_t before = std::time(nullptr);
    log_event(Level::info, "event", {});
    const std::time_t after = std::time(nullptr);
    std::tm calendar{};
    ASSERT_NE(::strptime(written().c_str(), "%Y-%m-%dT%H:%M:%S", &calendar), nullptr);
    EXPECT_GE(::timegm(&calendar), before);
    EXPECT_LE(::timegm(&calendar), after);
}

struct ValueCase {
    const char* name;
    Field::Value value;
    const char* text;
    const char* json;
};

class LogValues : public Log, public testing::WithParamInterface<ValueCase> {};

Field field_with(const Field::Value& value) {
    Field field("key", "");
    field.value = value;
    return field;
}

TEST_P(LogValues, Text) {
    EXPECT_EQ(fields_of({field_with(GetParam().value)}), GetParam().text);
}

TEST_P(LogValues, Json) {
    use(LogFormat::json);
    log_event(Level::info, "event", {field_with(GetParam().value)});
    EXPECT_THAT(written(), testing::EndsWith(std::string("\"level\":\"info\",\"event\":\"event\",") +
                                             GetParam().json + "}\n"));
}

using namespace std::string_view_literals;

INSTANTIATE_TEST_SUITE_P(
    Cases, LogValues,
    testing::Values(
        ValueCase{"Plain", "NetBoot007"sv, "key=NetBoot007", R"("key":"NetBoot007")"},
        ValueCase{"Empty", ""sv, R"(key="")", R"("key":"")"},
        ValueCase{"Blank", "a b"sv, R"(key="a b")", R"("key":"a b")"},
        ValueCase{"LooksLikeAField", "x level=error"sv, R"(key="x level=error")", R"("key":"x level=error")"},
        ValueCase{"EqualsSign", "a=b"sv, R"(key="a=b")", R"("key":"a=b")"},
        ValueCase{"Quote", R"(x" mac="y)"sv, R"(key="x\" mac=\"y")", R"("key":"x\" mac=\"y")"},
        ValueCase{"Backslash", R"(a\)"sv, R"(key="a\\")", R"("key":"a\\")"},
        ValueCase{"Newlines", "a\nb\r\tc"sv, R"(key="a\nb\r\tc")", R"("key":"a\nb\r\tc")"},
        ValueCase{"Escape", "\x1b[31m"sv, R"(key="\u001b[31m")", R"("key":"\u001b[31m")"},
        ValueCase{"Nul", "a\0b"sv, R"(key="a\u0000b")", R"("key":"a\u0000b")"},
        ValueCase{"Delete", "\x7f"sv, R"(key="\u007f")", R"("key":"\u007f")"},
        ValueCase{"Utf8", "Grüße 😀"sv, "key=\"Grüße 😀\"", "\"key\":\"Grüße 😀\""},
        ValueCase{"C1Control", "\xc2\x9b"sv, R"(key="\u009b")", R"("key":"\u009b")"},
        ValueCase{"LineSeparator", "\xe2\x80\xa8"sv, R"(key="\u2028")", R"("key":"\u2028")"},
        ValueCase{"DirectionOverride", "\xe2\x80\xae"sv, R"(key="\u202e")", R"("key":"\u202e")"},
        ValueCase{"StrayOctet", "a\xff"sv, R"(key="a\xff")", R"("key":"a\ufffd")"},
        ValueCase{"Overlong", "\xc0\xaf"sv, R"(key="\xc0\xaf")", R"("key":"\ufffd\ufffd")"},
        ValueCase{"Surrogate", "\xed\xa0\x80"sv, R"(key="\xed\xa0\x80")", R"("key":"\ufffd\ufffd\ufffd")"},
        ValueCase{"CutShort", "\xe2\x80"sv, R"(key="\xe2\x80")", R"("key":"\ufffd\ufffd")"},
        ValueCase{"Negative", std::int64_t{-5}, "key=-5", R"("key":-5)"},
        ValueCase{"Largest", std::numeric_limits<std::uint64_t>::max(), "key=18446744073709551615",
                  R"("key":18446744073709551615)"},
        ValueCase{"True", true, "key=true", R"("key":true)"},
        ValueCase{"Real", 12.5, "key=12.5", R"("key":12.5)"},
        ValueCase{"Infinity", std::numeric_limits<double>::infinity(), "key=inf", R"("key":null)"}),
    [](const auto& tested) { return tested.param.name; });

TEST_F(Log, FieldsOfEveryKindKeepTheirKind) {
    const std::string owned = "text";
    EXPECT_EQ(fields_of({{"a", owned},
                         {"b", 1},
                         {"c", std::uint8_t{2}},
                         {"d", true},
                         {"e", 0.5},
                         {"f", std::size_t{7}},
                         {"g", -1L}}),
              "a=text b=1 c=2 d=true e=0.5 f=7 g=-1");
}

TEST_F(Log, KeysCannotInjectFields) {
    EXPECT_EQ(fields_of({{"a b=c\n", 1}}), "a_b_c_=1");
}

TEST_F(Log, EventsCannotInjectFields) {
    log_event(Level::info, "a\nb", {});
    EXPECT_THAT(written(), testing::EndsWith(" info a_b\n"));
}

TEST_F(Log, LevelsBelowAreSilent) {
    use(LogFormat::text, Level::warn);
    EXPECT_FALSE(log_enabled(Level::info));
    EXPECT_TRUE(log_enabled(Level::warn));
    log_event(Level::info, "quiet", {});
    log_event(Level::error, "loud", {});
    EXPECT_THAT(writes(), ElementsAre(HasSubstr("error loud")));
}

TEST_F(Log, EachLineIsWrittenAtOnceWithoutABatch) {
    log_event(Level::info, "one", {});
    log_event(Level::info, "two", {});
    EXPECT_THAT(writes(), ElementsAre(HasSubstr("one"), HasSubstr("two")));
}

TEST_F(Log, BatchLeavesWithOneWriteAtItsEnd) {
    {
        const LogBatch outer;
        log_event(Level::info, "one", {});
        {
            const LogBatch inner;
            log_event(Level::info, "two", {});
        }
        EXPECT_THAT(writes(), ElementsAre());
    }
    EXPECT_THAT(writes(), ElementsAre(MatchesRegex("[^\n]* one\n[^\n]* two\n")));
}

TEST_F(Log, FullBatchIsWrittenInWholeLinesOfAtMost64KiB) {
    {
        const LogBatch batch;
        for (int i = 0; i < 2000; ++i)
            log_event(Level::info, "event", {{"number", i}, {"more", "abcdefghij"}});
    }
    const std::vector<std::string> all = writes();
    EXPECT_GE(all.size(), 2U);
    int lines = 0;
    for (const std::string& one : all) {
        EXPECT_LE(one.size(), 65536U);
        EXPECT_EQ(one.back(), '\n');
        EXPECT_THAT(one, StartsWith("20"));
        lines += static_cast<int>(std::count(one.begin(), one.end(), '\n'));
    }
    EXPECT_EQ(lines, 2000);
}

TEST_F(Log, BatchHoldsBackItsOwnThreadOnly) {
    const LogBatch batch;
    std::thread([] { log_event(Level::info, "other", {}); }).join();
    EXPECT_THAT(writes(), ElementsAre(HasSubstr("other")));
}

TEST_F(Log, ThreadsDoNotMixLines) {
    std::FILE* file = std::tmpfile();
    ASSERT_NE(file, nullptr);
    configure_log({.descriptor = ::fileno(file)});
    const std::string filler(300, 'x');
    {
        std::vector<std::jthread> threads;
        for (int t = 0; t < 4; ++t) {
            threads.emplace_back([&filler, t] {
                for (int i = 0; i < 500; ++i) {
                    const LogBatch batch;
                    log_event(Level::info, "event", {{"thread", t}, {"filler", filler}});
                    if (t % 2 == 0) log_event(Level::info, "event", {{"thread", t}, {"filler", filler}});
                }
            });
        }
    }
    std::rewind(file);
    char line[1024];
    int lines = 0;
    while (std::fgets(line, sizeof line, file) != nullptr) {
        ++lines;
        EXPECT_THAT(line, MatchesRegex("20[^ ]*Z info event thread=[0-3] filler=x+\n"));
    }
    EXPECT_EQ(lines, 3000);
    std::fclose(file);
}

/// A reader that does not read, behind a descriptor that would wait for it.
class StuckReader : public Log, public testing::WithParamInterface<const char*> {
  protected:
    static void open_ends(int (&ends)[2]) {
        const std::string_view kind = GetParam();
        const int failed = kind == "stream" ? ::socketpair(AF_UNIX, SOCK_STREAM, 0, ends)
                                            : ::pipe2(ends, kind == "pipe" ? 0 : O_NONBLOCK);
        ASSERT_EQ(failed, 0);
        ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
    }
};

TEST_P(StuckReader, CostsLinesNotTheProcess) {
    int ends[2];
    open_ends(ends);
    configure_log({.descriptor = ends[1]});
    const std::string filler(10'000, 'x');
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < 200; ++i) log_event(Level::info, "event", {{"filler", filler}});
    // Were the patience spent on every line, it would be 18 s.
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));

    std::string octets(1 << 20, '\0');
    while (::read(ends[0], octets.data(), octets.size()) > 0) {
    }
    log_event(Level::info, "after", {});
    const ssize_t got = ::read(ends[0], octets.data(), octets.size());
    ASSERT_GT(got, 0);
    EXPECT_THAT(octets.substr(0, static_cast<std::size_t>(got)), MatchesRegex("\n?20[^ ]*Z info after\n"));
    configure_log({});
    ::close(ends[0]);
    ::close(ends[1]);
}

INSTANTIATE_TEST_SUITE_P(Kinds, StuckReader, testing::Values("pipe", "pipe that says so", "stream"),
                         [](const auto& kind) {
                             std::string name = kind.param;
                             std::ranges::replace(name, ' ', '_');
                             return name;
                         });

TEST(LogLevels, NamesGoBothWays) {
    for (const Level level : {Level::debug, Level::info, Level::warn, Level::error}) {
        EXPECT_EQ(level_from(name_of(level)), level);
    }
    EXPECT_EQ(level_from("INFO"), std::nullopt);
    EXPECT_EQ(log_format_from("json"), LogFormat::json);
    EXPECT_EQ(log_format_from("text"), LogFormat::text);
    EXPECT_EQ(log_format_from(""), std::nullopt);
}

}  // namespace
}  // namespace pomona::servers

#include "servers/control_server.hpp"

#include "servers/service_verbs.hpp"
#include "support/client_stores.hpp"
#include "support/control_line.hpp"
#include "support/temporary_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>
#include <sys/wait.h>

#include <csignal>
#include <thread>

namespace pomona::servers {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using tests::ControlLine;

struct ControlServerTest : testing::Test {
    tests::TemporaryFolder folder;
    std::string path = folder / "control";

    static ControlServer::Handlers handlers() {
        return {{"echo", [](const json& request) -> base::Result<json> { return request.at("text"); }},
                {"refuse",
                 [](const json&) -> base::Result<json> { return base::fail("no", "here", "ask again"); }},
                {"big", [](const json&) -> base::Result<json> { return std::string(5'000'000, 'x'); }}};
    }
    std::unique_ptr<ControlServer> start(ControlServer::Options options = {}) {
        options.path = path;
        auto server = ControlServer::start(options, handlers());
        EXPECT_TRUE(server) << server.error().text();
        return server ? *std::move(server) : nullptr;
    }
    std::string ask(const std::string& line) const {
        ControlLine client(path);
        client.send(line + "\n");
        return client.line();
    }
};

TEST_F(ControlServerTest, AnswersALineWithALine) {
    const auto server = start();
    ControlLine client(path);
    client.send("{\"do\":\"echo\",\"text\":\"one\"}\n{\"do\":\"echo\",\"text\":\"two\"}\n{\"do\":");
    EXPECT_EQ(client.line(), R"({"result":"one"})");
    EXPECT_EQ(client.line(), R"({"result":"two"})");
    client.send("\"echo\",\"text\":[1,{}]}\n");
    EXPECT_EQ(client.line(), R"({"result":[1,{}]})");
    client.send("{\"do\":\"big\"}\n");
    EXPECT_GT(client.line().size(), 5'000'000U);
}

TEST_F(ControlServerTest, AnswersWhatIsNotUtf8) {
    ControlServer::Options options;
    options.path = path;
    const auto server = ControlServer::start(
        options, {{"raw", [](const json&) -> base::Result<json> { return std::string("a\xff"); }}});
    ASSERT_TRUE(server);
    EXPECT_EQ(ask(R"({"do":"raw"})"), "{\"result\":\"a\xef\xbf\xbd\"}");
}

TEST_F(ControlServerTest, ErrorsAreWordsAndTheConnectionStays) {
    const auto server = start();
    struct Case {
        const char* request;
        const char* what;
    };
    ControlLine client(path);
    for (const Case& bad :
         {Case{"", "no JSON object"}, Case{"nonsense", "no JSON object"}, Case{"[]", "no JSON object"},
          Case{"{}", "does not know what to do"}, Case{R"({"do":7})", "does not know what to do"},
          Case{R"({"do":"dance"})", "does not know what to do"},
          Case{R"({"do":"echo"})", "the daemon failed"}, Case{R"({"do":"refuse"})", "no"}}) {
        client.send(std::string(bad.request) + "\n");
        const json answer = json::parse(client.line());
        EXPECT_THAT(answer.at("error").at("what").get<std::string>(), HasSubstr(bad.what)) << bad.request;
    }
    client.send("{\"do\":\"refuse\"}\n");
    EXPECT_EQ(client.line(), R"({"error":{"remedy":"ask again","what":"no","where":"here"}})");
    EXPECT_THAT(ask(R"({"do":"dance"})"), HasSubstr("use one of: big, echo, refuse"));
    EXPECT_THAT(ask(std::string(60'000, '[')), HasSubstr("no JSON object"));
}

TEST_F(ControlServerTest, RefusesLongLines) {
    const auto server = start();
    ControlLine client(path);
    client.send(std::string(70'000, 'x'));
    EXPECT_THAT(client.line(), HasSubstr("longer than 65536 octets"));
    EXPECT_TRUE(client.closed());
}

TEST_F(ControlServerTest, ClosesIdleConnections) {
    ControlServer::Options options;
    options.idle = std::chrono::milliseconds(50);
    const auto server = start(options);
    ControlLine silent(path);
    ControlLine half(path);
    half.send("{\"do\"");
    ControlLine deaf(path);
    deaf.send("{\"do\":\"big\"}\n");
    EXPECT_TRUE(silent.closed());
    EXPECT_TRUE(half.closed());
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    EXPECT_LT(deaf.line().size(), 5'000'000U) << "it did not read its answer in time";
}

TEST_F(ControlServerTest, TakesOnlySoManyConnections) {
    ControlServer::Options options;
    options.max_connections = 2;
    const auto server = start(options);
    auto first = std::make_unique<ControlLine>(path);
    ControlLine second(path);
    for (ControlLine* client : {first.get(), &second}) {
        client->send("{\"do\":\"echo\",\"text\":1}\n");
        EXPECT_EQ(client->line(), R"({"result":1})");
    }
    ControlLine third(path);
    EXPECT_THAT(third.line(), HasSubstr("too many connections"));
    EXPECT_TRUE(third.closed());
    first.reset();
    std::string answer;
    for (int i = 0; i < 500 && answer != R"({"result":2})"; ++i) {
        answer = ask(R"({"do":"echo","text":2})");
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    EXPECT_EQ(answer, R"({"result":2})") << "a place was free again";
}

TEST_F(ControlServerTest, ManyClientsAtOnce) {
    const auto server = start();
    std::vector<std::jthread> clients;
    std::atomic<int> right = 0;
    for (int c = 0; c < 8; ++c) {
        clients.emplace_back([&, c] {
            ControlLine client(path);
            for (int i = 0; i < 50; ++i) {
                const std::string text = std::to_string(c * 1'000 + i);
                client.send(R"({"do":"echo","text":)" + text + "}\n");
                right += client.line() == R"({"result":)" + text + "}" ? 1 : 0;
            }
        });
    }
    clients.clear();
    EXPECT_EQ(right, 400);
}

TEST_F(ControlServerTest, IsForOwnerAndGroupAndGoesAway) {
    {
        const auto server = start();
        struct stat info{};
        ASSERT_EQ(::lstat(path.c_str(), &info), 0);
        EXPECT_TRUE(S_ISSOCK(info.st_mode));
        EXPECT_EQ(info.st_mode & 0777U, 0660U);
    }
    EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(ControlServerTest, EndsWithClientsConnected) {
    auto server = start();
    ControlLine client(path);
    client.send("{\"do\":\"echo\",\"text\":1}\n");
    EXPECT_EQ(client.line(), R"({"result":1})");
    server.reset();
    EXPECT_TRUE(client.closed());
}

TEST_F(ControlServerTest, MakesTheLastDirectory) {
    path = folder / "run/control";
    const auto server = start();
    EXPECT_EQ(ask(R"({"do":"echo","text":1})"), R"({"result":1})");
}

TEST_F(ControlServerTest, ASecondDaemonIsRefused) {
    const auto server = start();
    ControlServer::Options options;
    options.path = path;
    const auto second = ControlServer::start(options, {});
    ASSERT_FALSE(second);
    EXPECT_THAT(second.error().text(), HasSubstr("another pomona serves already"));
    EXPECT_EQ(ask(R"({"do":"echo","text":1})"), R"({"result":1})") << "the first goes on";
}

TEST_F(ControlServerTest, TheSocketOfADeadDaemonIsReplaced) {
    int ready[2];
    ASSERT_EQ(::pipe(ready), 0);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        ControlServer::Options options;
        options.path = path;
        const auto server = ControlServer::start(options, {});
        const char done = server ? 'y' : 'n';
        if (::write(ready[1], &done, 1) != 1) ::_exit(1);
        ::sleep(60);
        ::_exit(0);
    }
    char started = 0;
    ASSERT_EQ(::read(ready[0], &started, 1), 1);
    ::close(ready[0]);
    ::close(ready[1]);
    EXPECT_EQ(started, 'y');
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    ASSERT_TRUE(std::filesystem::exists(path));
    const auto server = start();
    EXPECT_EQ(ask(R"({"do":"echo","text":1})"), R"({"result":1})");
}

TEST_F(ControlServerTest, LeavesOtherFilesAlone) {
    folder.write("control", "somebody's notes");
    ControlServer::Options options;
    options.path = path;
    const auto server = ControlServer::start(options, {});
    ASSERT_FALSE(server);
    EXPECT_THAT(server.error().text(), HasSubstr("no socket"));
    EXPECT_TRUE(std::filesystem::is_regular_file(path));
}

TEST_F(ControlServerTest, RefusesImpossiblePaths) {
    for (const std::string& bad :
         {std::string(), "/tmp/" + std::string(120, 'x'), std::string("/nowhere/at/all/control")}) {
        ControlServer::Options options;
        options.path = bad;
        EXPECT_FALSE(ControlServer::start(options, {})) << bad;
    }
}

TEST_F(ControlServerTest, TellsStatusAndReloads) {
    store::ClientRegistry registry(std::make_unique<tests::EmptyStore>(), {});
    registry.apply(tests::choice_of(1));
    int reloads = 0;
    ControlServer::Options options;
    options.path = path;
    const auto server = ControlServer::start(
        options,
        service_verbs(registry, {.version = "1.2.3",
                                 .add_status = [](json& status) { status["images"] = 4; },
                                 .reload = [&reloads]() -> base::Result<json> { return ++reloads; }}));
    ASSERT_TRUE(server);
    const json status = json::parse(ask(R"({"do":"status"})")).at("result");
    EXPECT_EQ(status.at("version"), "1.2.3");
    EXPECT_EQ(status.at("machines"), 1);
    EXPECT_EQ(status.at("images"), 4);
    EXPECT_EQ(status.at("pid"), ::getpid());
    EXPECT_EQ(ask(R"({"do":"reload"})"), R"({"result":1})");
}

}  // namespace
}  // namespace pomona::servers

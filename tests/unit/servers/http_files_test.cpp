#include "servers/http_files.hpp"

#include "support/temporary_folder.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <ctime>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

namespace pomona::servers {
namespace {

class HttpFilesOfTwoRoots : public testing::Test {
  protected:
    HttpFilesOfTwoRoots() {
        folder_.write("images/My Image.nbi/i386/booter", "0123456789");
        folder_.write("plain/boot.ipxe", "#!ipxe\n");
        folder_.write("plain/empty", "");
        folder_.write("secret", "secret");
        constexpr std::time_t leap_day_of_2020 = 1582934400;
        const timespec times[] = {{leap_day_of_2020, 0}, {leap_day_of_2020, 0}};
        EXPECT_EQ(::utimensat(AT_FDCWD, (folder_ / "plain/boot.ipxe").c_str(), times, 0), 0);
    }

    [[nodiscard]] HttpReply ask(std::string_view path, HttpRequest request = {}) const {
        if (request.method.empty()) request.method = "GET";
        request.target.path = path;
        request.local = base::Ipv4Address(10, 0, 1, 11);
        const HttpFiles files(std::make_shared<const Content>(
            std::vector<ContentRoot>{{"NetBootSP0", folder_ / "images"}}, folder_ / "plain"));
        return files(request);
    }
    static std::string header(const HttpReply& reply, std::string_view name) {
        const auto found =
            std::ranges::find(reply.headers, name, &std::pair<std::string, std::string>::first);
        return found == reply.headers.end() ? std::string("none") : found->second;
    }
    static std::pair<std::uint64_t, std::uint64_t> only_part(const HttpReply& reply) {
        if (reply.body.size() != 1 || !std::holds_alternative<HttpFilePart>(reply.body[0])) return {~0U, ~0U};
        const auto part = std::get<HttpFilePart>(reply.body[0]);
        return {part.offset, part.length};
    }

    tests::TemporaryFolder folder_;
};

using Part = std::pair<std::uint64_t, std::uint64_t>;

TEST_F(HttpFilesOfTwoRoots, AreFoundByTheirPaths) {
    for (const char* path :
         {"/NetBoot/NetBootSP0/My Image.nbi/i386/booter", "/nbi/NetBootSP0/My Image.nbi/i386/booter"}) {
        const HttpReply reply = ask(path);
        EXPECT_EQ(reply.status, 200U);
        EXPECT_EQ(only_part(reply), (Part{0, 10}));
        EXPECT_EQ(reply.name, folder_ / "images/My Image.nbi/i386/booter");
        EXPECT_EQ(header(reply, "Content-Type"), "application/octet-stream");
        EXPECT_EQ(header(reply, "Accept-Ranges"), "bytes");
    }
    const HttpReply script = ask("/boot.ipxe");
    EXPECT_EQ(header(script, "Content-Type"), "text/plain");
    EXPECT_EQ(header(script, "Last-Modified"), "Sat, 29 Feb 2020 00:00:00 GMT");
    EXPECT_EQ(header(script, "ETag"), "\"15f7b67336bf0000-7-a00010b\"");
    EXPECT_EQ(ask("/empty").size(), 0U);
}

TEST_F(HttpFilesOfTwoRoots, RefusalsHaveNoBodyAndAReason) {
    const struct {
        std::string_view path;
        unsigned status;
        std::string name;
    } table[] = {
        {"/none", 404, folder_ / "plain/none"},
        {"/nbi/NetBootSP0/none", 404, folder_ / "images/none"},
        {"/", 404, "/"},
        {"/../secret", 403, "/../secret"},
        {"/nbi", 404, folder_ / "plain/nbi"},
    };
    for (const auto& row : table) {
        const HttpReply reply = ask(row.path);
        EXPECT_EQ(reply.status, row.status) << row.path;
        EXPECT_TRUE(reply.body.empty());
        EXPECT_EQ(reply.name, row.name);
        EXPECT_FALSE(reply.detail.empty());
    }
    const HttpReply put = ask("/boot.ipxe", {.method = "PUT"});
    EXPECT_EQ(put.status, 405U);
    EXPECT_EQ(header(put, "Allow"), "GET, HEAD");
}

TEST_F(HttpFilesOfTwoRoots, ComeInPartsWhereThatIsAsked) {
    const std::string_view path = "/nbi/NetBootSP0/My Image.nbi/i386/booter";
    const HttpReply rest = ask(path, {.range = "bytes=4-"});
    EXPECT_EQ(rest.status, 206U);
    EXPECT_EQ(only_part(rest), (Part{4, 6}));
    EXPECT_EQ(header(rest, "Content-Range"), "bytes 4-9/10");

    const HttpReply two = ask(path, {.range = "bytes=0-1,8-"});
    EXPECT_EQ(two.status, 206U);
    ASSERT_EQ(two.body.size(), 5U);
    EXPECT_EQ(header(two, "Content-Range"), "none");
    const std::string type = header(two, "Content-Type");
    ASSERT_TRUE(type.starts_with("multipart/byteranges; boundary="));
    EXPECT_EQ(std::get<std::string>(two.body[4]), "\r\n--" + type.substr(type.find('=') + 1) + "--\r\n");

    const HttpReply beyond = ask(path, {.range = "bytes=10-"});
    EXPECT_EQ(beyond.status, 416U);
    EXPECT_EQ(header(beyond, "Content-Range"), "bytes */10");
    EXPECT_EQ(ask(path, {.range = "bytes=4-", .if_range = "\"other\""}).status, 200U);
    EXPECT_EQ(ask(path, {.method = "HEAD", .range = "bytes=4-"}).status, 200U);
}

TEST_F(HttpFilesOfTwoRoots, AreSparedWhereTheClientHasThem) {
    const std::string etag = header(ask("/boot.ipxe"), "ETag");
    const HttpReply same = ask("/boot.ipxe", {.if_none_match = etag});
    EXPECT_EQ(same.status, 304U);
    EXPECT_TRUE(same.body.empty());
    EXPECT_EQ(header(same, "ETag"), etag);
    EXPECT_EQ(ask("/boot.ipxe", {.if_modified_since = "Sat, 29 Feb 2020 00:00:00 GMT"}).status, 304U);
    EXPECT_EQ(ask("/boot.ipxe", {.if_modified_since = "Fri, 28 Feb 2020 00:00:00 GMT"}).status, 200U);
    folder_.write("plain/boot.ipxe", "#!ipxe!");
    EXPECT_EQ(ask("/boot.ipxe", {.if_none_match = etag}).status, 200U);
}

TEST_F(HttpFilesOfTwoRoots, AProgramIsSentWithTheAddressThatWasAsked) {
    folder_.write("plain/g.efi", "MZ '@@POMONA-SERVER@@'");
    HttpReply reply = ask("/g.efi");
    ASSERT_TRUE(reply.file);
    std::string text(static_cast<std::size_t>(reply.size()), '\0');
    const iovec whole{text.data(), text.size()};
    EXPECT_EQ(reply.file->read({&whole, 1}, 0), static_cast<std::ptrdiff_t>(text.size()));
    EXPECT_EQ(text, "MZ '10.0.1.11        '");
}

TEST(HttpContentType, FollowsTheEndOfTheName) {
    EXPECT_EQ(http_content_type("/a/System.DMG"), "application/x-apple-diskimage");
    EXPECT_EQ(http_content_type("snponly.efi"), "application/efi");
    EXPECT_EQ(http_content_type("kernelcache"), "application/octet-stream");
    EXPECT_EQ(http_content_type(""), "application/octet-stream");
}

TEST(HttpRoutes, TheFirstThatAnswersHasAnswered) {
    const auto text = [](std::string path, unsigned status, std::string body) {
        return [=](const HttpRequest& request) -> std::optional<HttpReply> {
            if (request.target.path != path) return std::nullopt;
            HttpReply reply;
            reply.status = status;
            reply.body.emplace_back(body);
            return reply;
        };
    };
    const HttpHandler handler = first_of(
        {text("/one", 200, "first"), text("/one", 200, "second"), text("/two", 404, "GRUB would read this")});
    HttpRequest request;
    request.target.path = "/one";
    EXPECT_EQ(std::get<std::string>(handler(request).body.at(0)), "first");
    request.target.path = "/two";
    EXPECT_TRUE(handler(request).body.empty());
    request.target.path = "/three";
    EXPECT_EQ(handler(request).status, 404U);
    EXPECT_EQ(handler(request).name, "/three");
}

}  // namespace
}  // namespace pomona::servers

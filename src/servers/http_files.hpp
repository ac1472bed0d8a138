// Answers to HTTP requests out of the path space that TFTP has, too; and the order in which several handlers
// are asked.
#pragma once

#include "servers/content.hpp"
#include "servers/http_server.hpp"

#include <pomona/base/shared_state.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

namespace pomona::servers {

/// An answer, or nothing if the path is none of its own.
using HttpRoute = std::function<std::optional<HttpReply>(const HttpRequest&)>;

/// Asks `routes` in their order; the first that answers has answered. When none does, status 404. Every
/// answer of status 400 and above has an empty body: GRUB takes that for the contents of the file. To be made
/// before the server runs; safe from several threads if the routes are.
HttpHandler first_of(std::vector<HttpRoute> routes);

/// GET and HEAD of the files of Content, whole or in parts, with the conditions that spare a transfer.
/// Answers every request, so it is the last route; other methods get status 405.
class HttpFiles {
  public:
    explicit HttpFiles(std::shared_ptr<const Content> content);

    [[nodiscard]] HttpReply operator()(const HttpRequest& request) const;

  private:
    std::shared_ptr<const Content> content_;
};

/// "application/x-apple-diskimage" for "System.dmg"; by the end of the name, in either case.
std::string_view http_content_type(std::string_view path);

}  // namespace pomona::servers

// A root image that lies elsewhere: the RootPath forms "host:mount[:image]" and "http://host/path" become a
// finished value of option 17, with the host resolved.
#pragma once

#include <pomona/base/addresses.hpp>
#include <pomona/base/error.hpp>
#include <pomona/model/netboot_image.hpp>

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace pomona::model {

using ResolveHost = std::function<std::optional<base::Ipv4Address>(const std::string& host)>;

/// `type` is nfs or http.
[[nodiscard]] base::Result<std::string> root_place_elsewhere(ImageType type, std::string_view text,
                                                             const ResolveHost& resolve);

}  // namespace pomona::model

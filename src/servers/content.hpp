// The one path space of everything that is downloaded: which file of which root a requested path names.
#pragma once

#include "io/file.hpp"
#include "servers/filled_programs.hpp"

#include <pomona/base/addresses.hpp>

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pomona::servers {

/// A folder of boot images (share point in Apple's words) with the name it has in paths.
struct ContentRoot {
    std::string name;
    std::string path;
};

/// A file to send.
struct ContentFile {
    io::File file;
    std::string path;  ///< in the file system, for the log
    std::string name;  ///< below our roots, as the shortest request would name it
};

/// Why there is none.
struct ContentProblem {
    io::FileProblem::Kind kind = io::FileProblem::Kind::missing;
    std::string what;  ///< in words: "no such file"
    std::string
        looked_for;  ///< every path of the file system that was tried, joined by ", "; or what was asked

    friend bool operator==(const ContentProblem&, const ContentProblem&) = default;
};

/// `nbi/<share>/<rest>` and Apple's `NetBoot/<share>/<rest>`, both also behind `private/tftpboot/`, name
/// files of the share's folder. Everything else, with or without `private/tftpboot/`, is looked for in the
/// plain root. Leading, doubled and trailing-dot slashes are tolerated; `\` separates folders only when
/// nothing is found otherwise. `..` is refused wherever it stands. Percent signs are ordinary characters
/// here. Immutable and therefore safe to use from several threads.
class Content {
  public:
    /// `plain_root` may be empty: then there are only images. `http_port` goes into the blanks of boot
    /// programs; nullopt without HTTP.
    Content(std::vector<ContentRoot> shares, std::string plain_root,
            std::optional<std::uint16_t> http_port = std::nullopt);

    /// The file as it lies there.
    [[nodiscard]] std::expected<ContentFile, ContentProblem> open(std::string_view requested) const;
    /// The file as it is sent to a client that asked this address of ours: the blanks of a boot program are
    /// filled in.
    [[nodiscard]] std::expected<ContentFile, ContentProblem> open_for(base::Ipv4Address asked,
                                                                      std::string_view requested) const;

  private:
    struct Place {
        const std::string* root;
        std::string rest;
        std::string name;
    };
    [[nodiscard]] std::expected<ContentFile, ContentProblem> open_cleaned(std::string_view requested) const;
    [[nodiscard]] std::vector<Place> places(const std::vector<std::string_view>& parts) const;

    std::vector<ContentRoot> shares_;
    std::string plain_root_;
    std::shared_ptr<FilledPrograms> programs_;
};

}  // namespace pomona::servers

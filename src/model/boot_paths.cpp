#include <pomona/model/boot_paths.hpp>

namespace pomona::model {

namespace {

bool is_allowed_in_url_path(char c) {
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')) return true;
    return std::string_view("-._~!$&'()*+,;=:@/").find(c) != std::string_view::npos;
}

}  // namespace

std::string escaped_url_path(std::string_view path) {
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::string escaped;
    escaped.reserve(path.size());
    for (const char c : path) {
        if (is_allowed_in_url_path(c)) {
            escaped += c;
        } else {
            const auto octet = static_cast<unsigned char>(c);
            escaped += '%';
            escaped += digits[octet >> 4U];
            escaped += digits[octet & 15U];
        }
    }
    return escaped;
}

std::string escaped_nfs_path(std::string_view path) {
    std::string escaped;
    escaped.reserve(path.size());
    for (const char c : path) {
        if (c == ':') escaped += '\\';
        escaped += c;
    }
    return escaped;
}

std::string tftp_path(const NetBootImage& image, const BootFile& boot_file) {
    return tftp_path(image, boot_file.path);
}

std::string tftp_path(const NetBootImage& image, std::string_view file) {
    std::string path =
        image.external_tftp_folder ? *image.external_tftp_folder : "nbi/" + image.share + "/" + image.folder;
    path += '/';
    path += file;
    return path;
}

std::string root_path_option(const NetBootImage& image, base::Ipv4Address server) {
    if (!image.root_path) return {};
    const RootPath& root = *image.root_path;
    if (!root.elsewhere.empty()) return root.elsewhere;
    const std::string host = image.load_balance_server.value_or(server).text();
    if (image.type == ImageType::http) {
        return "http://" + host + "/NetBoot/" +
               escaped_url_path(image.share + "/" + image.folder + "/" + root.local_file);
    }
    return "nfs:" + host + ":" + escaped_nfs_path(image.share_path) + ":" +
           escaped_nfs_path(image.folder + "/" + root.local_file);
}

}  // namespace pomona::model

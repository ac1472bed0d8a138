// write_image: image roots on disk for tests.
#pragma once

#include "support/efi_samples.hpp"
#include "support/temporary_folder.hpp"

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

namespace pomona::tests {

inline void write_file(const std::filesystem::path& path, std::string_view content) {
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary).write(content.data(), static_cast<std::streamsize>(content.size()));
}

inline void write_file(const std::filesystem::path& path, const std::vector<std::uint8_t>& content) {
    write_file(path, base::as_text(content));
}

/// Makes an image the default, as `more` of plist_text().
inline constexpr std::string_view default_key = "<key>IsDefault</key><true/>";

/// NBImageInfo.plist of a small image for Intel Macs; `more` is put in front of the usual keys.
inline std::string plist_text(std::string_view name, int index, std::string_view more = {}) {
    return "<plist version=\"1.0\"><dict>" + std::string(more) + "<key>Name</key><string>" +
           std::string(name) + "</string><key>Index</key><integer>" + std::to_string(index) +
           "</integer><key>Type</key><string>BootFileOnly</string><key>Kind</key><integer>1</integer>"
           "<key>IsInstall</key><true/><key>Architectures</key><array><string>i386</string></array>"
           "<key>BootFile</key><string>booter</string></dict></plist>\n";
}

/// A whole image folder.
inline void write_image(const std::filesystem::path& folder, std::string_view name, int index,
                        std::string_view more = {}) {
    write_file(folder / "i386" / "booter", efi_program(codec::EfiMachine::x64));
    write_file(folder / "NBImageInfo.plist", plist_text(name, index, more));
}

}  // namespace pomona::tests

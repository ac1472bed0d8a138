#include <pomona/model/netboot_image.hpp>

#include <algorithm>

namespace pomona::model {

const BootFile* NetBootImage::boot_file_for(std::string_view architecture) const {
    const auto found = std::ranges::find(boot_files, architecture, &BootFile::architecture);
    return found == boot_files.end() ? nullptr : &*found;
}

}  // namespace pomona::model

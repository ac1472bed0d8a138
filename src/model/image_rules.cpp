#include "image_keys.hpp"
#include "root_place.hpp"

#include <pomona/base/utf8.hpp>
#include <pomona/model/boot_paths.hpp>
#include <pomona/model/image_rules.hpp>
#include <pomona/model/known_models.hpp>

#include <algorithm>

namespace pomona::model {

namespace {

/// Longer names crowd the picker.
constexpr std::size_t comfortable_name = 64;

bool is_control(char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

/// A relative path that stays below its folder, made of plain names.
bool is_path_below(std::string_view path) {
    if (path.empty() || path.size() > 1024 || std::ranges::any_of(path, is_control)) return false;
    if (path.find('\\') != std::string_view::npos) return false;
    while (true) {
        const std::size_t slash = path.find('/');
        const std::string_view name = path.substr(0, slash);
        if (name.empty() || name == "." || name == "..") return false;
        if (slash == std::string_view::npos) return true;
        path.remove_prefix(slash + 1);
    }
}

void sort_unique(std::vector<std::string>& texts) {
    std::ranges::sort(texts);
    texts.erase(std::ranges::unique(texts).begin(), texts.end());
}

/// Reads one image; each step fills its part of the image and reports what is wrong.
class ImageReader {
  public:
    ImageReader(const codec::PlistDict& dict, const ImageFolder& folder, const ImageFacts& facts,
                std::vector<ImageProblem>& problems)
        : folder_(folder), facts_(facts), keys_(dict, folder.plist_path(), problems) {}

    std::optional<NetBootImage> read() {
        const bool enabled = keys_.boolean("IsEnabled", true);
        if (!enabled) {
            keys_.note("IsEnabled", "the image is switched off", "write <true/> to publish it");
            return std::nullopt;
        }
        image_.share = folder_.share;
        image_.share_path = folder_.share_path;
        image_.folder = folder_.folder;
        image_.external_tftp_folder = folder_.external_tftp_folder;
        if (std::ranges::any_of(folder_.folder, is_control)) {
            keys_.refuse("", "the name of the folder holds control characters", "rename the folder");
        }
        read_name();
        read_type();
        read_id();
        read_flags();
        read_boot_files();
        read_root_path();
        read_models();
        read_macs();
        read_load_balance_server();
        read_loader_script();
        if (keys_.refused()) return std::nullopt;
        check_paths();
        if (keys_.refused()) return std::nullopt;
        return std::move(image_);
    }

  private:
    void read_name() {
        const auto text = keys_.string("Name");
        if (!text) {
            if (!keys_.has("Name")) keys_.missing("Name", "write the name for the list of images");
            return;
        }
        std::string name = without_controls(*text);
        if (name != *text) {
            keys_.warn("Name", "control characters are shown as spaces", "remove them from the name");
        }
        if (name.find_first_not_of(' ') == std::string::npos) {
            return keys_.refuse("Name", "the name is empty", "write the name for the list of images");
        }
        if (name.size() > longest_image_name) {
            name = base::cut_utf8(name, longest_image_name);
            keys_.warn("Name",
                       "the name has " + std::to_string(text->size()) + " octets and is cut to " +
                           std::to_string(name.size()),
                       "shorten it to " + std::to_string(comfortable_name));
        } else if (name.size() > comfortable_name) {
            keys_.warn("Name",
                       "the name has " + std::to_string(name.size()) +
                           " octets; the picker of a Mac has little room",
                       "shorten it to " + std::to_string(comfortable_name));
        }
        image_.name = std::move(name);
    }

    /// C0, DEL and C1 (two octets, the first 0xc2) become one space each.
    static std::string without_controls(std::string_view text) {
        std::string name;
        for (std::size_t i = 0; i < text.size(); ++i) {
            const auto next = i + 1 < text.size() ? static_cast<unsigned char>(text[i + 1]) : 0U;
            if (static_cast<unsigned char>(text[i]) == 0xc2 && next >= 0x80 && next < 0xa0) {
                name += ' ';
                ++i;
            } else {
                name += is_control(text[i]) ? ' ' : text[i];
            }
        }
        return name;
    }

    void read_type() {
        const auto text = keys_.string("Type");
        if (!text) {
            if (!keys_.has("Type")) keys_.missing("Type", type_remedy());
            return;
        }
        if (*text == "NFS") {
            type_ = ImageType::nfs;
        } else if (*text == "HTTP") {
            type_ = ImageType::http;
        } else if (*text == "BootFileOnly") {
            type_ = ImageType::boot_file_only;
        } else if (*text == "Classic") {
            keys_.refuse("Type", "images of Mac OS 9 (Classic) are not served", "remove the image");
        } else {
            keys_.refuse("Type", shown(*text) + " is no type of image", type_remedy());
        }
        if (type_) image_.type = *type_;
    }

    std::string type_remedy() const {
        if (!keys_.has("RootPath")) {
            return "write BootFileOnly for an image that is only a program such as GRUB or iPXE";
        }
        return "write NFS, HTTP or BootFileOnly, exactly so";
    }

    void read_id() {
        const auto index = keys_.integer("Index");
        constexpr const char* range =
            "write 1 to 4095 for this server alone, 4096 to 65535 for an image that several servers offer";
        if (!index) {
            if (!keys_.has("Index")) keys_.missing("Index", range);
        } else if (*index < 1 || *index > 65535) {
            keys_.refuse("Index", std::to_string(*index) + " is out of range", range);
        }
        auto kind = keys_.integer("Kind");
        if (kind && (*kind < 0 || *kind > 127)) {
            keys_.warn("Kind", std::to_string(*kind) + " is out of range; 1 (Mac OS X) is used",
                       "write 1, or another number from 0 to 127");
            kind.reset();
        } else if (!kind && type_ == ImageType::boot_file_only && !keys_.has("Kind")) {
            keys_.warn("Kind", "the key is missing; 1 (Mac OS X) is used",
                       "write <integer>1</integer>; other servers skip the image without it");
        }
        kind_ = static_cast<std::uint8_t>(kind.value_or(1));
        image_.id = base::BootImageId(keys_.boolean("IsInstall", false), kind_,
                                      static_cast<std::uint16_t>(index.value_or(0)));
    }

    void read_flags() {
        constexpr std::uint8_t diagnostics = 3;
        image_.is_default = keys_.boolean("IsDefault", false);
        image_.filter_only = keys_.boolean("FilterOnly", kind_ == diagnostics);
        const bool diskless = keys_.boolean("SupportsDiskless", false);
        if (diskless && type_ == ImageType::boot_file_only) {
            keys_.warn("SupportsDiskless", "an image of Type BootFileOnly is never diskless",
                       "remove the key");
        } else {
            image_.supports_diskless = diskless;
        }
    }

    void read_boot_files() {
        const auto name = keys_.string("BootFile");
        if (!name) {
            if (!keys_.has("BootFile")) {
                keys_.missing("BootFile", "write the name of the program, such as <string>booter</string>");
            }
        } else if (!is_path_below(*name)) {
            keys_.refuse("BootFile", shown(*name) + " is no plain name of a file",
                         "write a name such as booter, without .., backslash or a slash in front");
        } else {
            for (const std::string& architecture : architectures(*name)) add_boot_file(architecture, *name);
        }
        read_ia32_boot_file();
    }

    /// Our own key: 32-bit firmware loads a file of its own, beside the x64 one.
    void read_ia32_boot_file() {
        constexpr const char* key = "PomonaBootFileIA32";
        const auto name = keys_.string(key);
        if (!name || name->empty()) return;
        if (!is_path_below(*name)) {
            return keys_.refuse(
                key, shown(*name) + " is no plain name of a file",
                "write a name such as booter-ia32, without .., backslash or a slash in front");
        }
        const BootFile* const main = image_.boot_file_for("i386");
        if (main == nullptr) return;
        if (main->width != EfiWidth::x64) {
            return keys_.refuse(key, "the BootFile beside it runs on 32-bit EFI itself",
                                "give a BootFile for 64-bit EFI only, or remove this key");
        }
        const std::size_t before = image_.boot_files.size();
        add_boot_file("i386", *name, key);
        if (image_.boot_files.size() > before && image_.boot_files.back().width != EfiWidth::ia32) {
            keys_.refuse(key, shown(*name) + " is no program for 32-bit EFI alone",
                         "name a plain ia32 program, or remove this key");
        }
    }

    std::vector<std::string> architectures(const std::string& boot_file) {
        auto listed = keys_.strings("Architectures");
        if (!listed && keys_.has("Architectures")) return {};
        if (!listed) return present_architectures(boot_file);
        if (listed->empty()) {
            keys_.refuse("Architectures", "the list is empty", "write <array><string>i386</string></array>");
        }
        std::vector<std::string> architectures;
        for (const std::string& architecture : *listed) {
            if (!is_path_below(architecture) || architecture.find('/') != std::string::npos) {
                keys_.refuse("Architectures", shown(architecture) + " is no architecture",
                             "write i386 or ppc");
                return {};
            }
            if (std::ranges::find(architectures, architecture) != architectures.end()) continue;
            if (architecture != "i386" && architecture != "ppc") {
                keys_.warn("Architectures", "no Mac calls itself " + shown(architecture),
                           "write i386: Intel Macs say so whatever their width");
            }
            architectures.push_back(architecture);
        }
        return architectures;
    }

    /// Apple's server takes "ppc" when the key is missing; we look what is there and say so.
    std::vector<std::string> present_architectures(const std::string& boot_file) {
        std::vector<std::string> present;
        for (const char* const architecture : {"i386", "ppc"}) {
            if (is_file(architecture + ("/" + boot_file))) present.emplace_back(architecture);
        }
        if (present.empty() && is_file(boot_file)) present.emplace_back("ppc");
        std::string list;
        for (const std::string& architecture : present) list += (list.empty() ? "" : " and ") + architecture;
        if (present.empty()) {
            keys_.refuse(
                "Architectures",
                "the key is missing and there is neither i386/" + boot_file + " nor ppc/" + boot_file,
                "put the program into i386 and write <array><string>i386</string></array>");
        } else {
            keys_.warn("Architectures",
                       "the key is missing; " + list + " is used, after the boot file" +
                           (present.size() > 1 ? "s" : "") + " found",
                       "write it down; other servers take ppc for every image without the key");
        }
        return present;
    }

    bool is_file(const std::string& path) const { return facts_.file(path).kind == FileFacts::Kind::regular; }

    void add_boot_file(const std::string& architecture, const std::string& name,
                       std::string_view key = "BootFile") {
        std::string path = architecture + "/" + name;
        FileFacts file = facts_.file(path);
        if (architecture == "ppc" && file.kind == FileFacts::Kind::missing) {
            if (FileFacts top = facts_.file(name); top.kind == FileFacts::Kind::regular) {
                file = std::move(top);
                path = name;
            }
        }
        const auto refuse = [&](std::string what, std::string remedy) {
            keys_.refuse_file(folder_.path() + "/" + path, key, std::move(what), std::move(remedy));
        };
        if (file.kind == FileFacts::Kind::missing) {
            const bool on_top = is_file(name);
            return refuse("the boot file for " + architecture + " is missing",
                          on_top ? "move " + shown(name) + " into the folder " + architecture
                                 : "put it there, or correct " + std::string(key) + " or Architectures");
        }
        if (!check_file(file, refuse)) return;
        if (file.size == 0) return refuse("the boot file is empty", "copy it again");
        if (!file.readable) {
            return refuse("the boot file cannot be read" + (file.reason.empty() ? "" : ": " + file.reason),
                          "let this server's user read it, for example with chmod a+r");
        }
        BootFile boot_file{
            .architecture = architecture, .path = path, .width = EfiWidth::other, .size = file.size};
        if (architecture != "ppc") {
            const auto program = facts_.efi(path);
            if (!program) {
                return refuse(program.error().what + " (" + program.error().where + ")",
                              program.error().remedy);
            }
            const bool x64 = program->runs_on(codec::EfiMachine::x64);
            const bool ia32 = program->runs_on(codec::EfiMachine::ia32);
            boot_file.width = x64 && ia32 ? EfiWidth::universal : x64 ? EfiWidth::x64 : EfiWidth::ia32;
        }
        image_.boot_files.push_back(std::move(boot_file));
    }

    /// For a file that exists in some way; false if it cannot be served.
    template <typename Refuse>
    bool check_file(const FileFacts& file, const Refuse& refuse) {
        switch (file.kind) {
            case FileFacts::Kind::regular:
                return true;
            case FileFacts::Kind::outside:
                refuse("a link leads out of the image root; no server follows it", "copy the file instead");
                return false;
            case FileFacts::Kind::inaccessible:
                refuse("the file cannot be looked at: " + file.reason, "let this server's user reach it");
                return false;
            default:
                refuse("this is no regular file", "put a file there");
                return false;
        }
    }

    void read_root_path() {
        const auto text = keys_.string("RootPath");
        if (type_ == ImageType::boot_file_only) {
            if (text && !text->empty()) {
                keys_.warn("RootPath", "an image of Type BootFileOnly has no root; the key is not used",
                           "remove the key, or write NFS or HTTP as the Type");
            }
            return;
        }
        if (!type_) return;
        if (!text) {
            if (!keys_.has("RootPath")) {
                keys_.missing(
                    "RootPath",
                    "write the name of the disk image, or BootFileOnly as the Type if there is none");
            }
            return;
        }
        if (text->empty() || std::ranges::any_of(*text, is_control)) {
            return keys_.refuse("RootPath", "the value is empty or holds control characters",
                                "write the name of the disk image in the folder");
        }
        // A file of that name wins, even if the name looks like an address.
        const FileFacts file = is_path_below(*text) ? facts_.file(*text) : FileFacts{};
        if (file.kind == FileFacts::Kind::missing) return read_root_elsewhere(*text);
        const auto refuse = [&](std::string what, std::string remedy) {
            keys_.refuse_file(folder_.path() + "/" + *text, "RootPath", std::move(what), std::move(remedy));
        };
        if (!check_file(file, refuse)) return;
        if (!file.readable) {
            keys_.warn_file(folder_.path() + "/" + *text, "RootPath",
                            "this server's user cannot read the disk image",
                            "let it read the file, unless another program serves it");
        }
        image_.root_path = RootPath{.local_file = *text, .elsewhere = {}};
    }

    void read_root_elsewhere(const std::string& text) {
        auto place = root_place_elsewhere(*type_, text, facts_.resolve);
        if (!place) {
            const bool looks_like_file = text.find(':') == std::string::npos;
            return keys_.refuse(
                "RootPath",
                looks_like_file ? "there is no file " + shown(text) + " in the image folder"
                                : shown(text) + ": " + place.error().what,
                looks_like_file ? "copy the disk image there, or correct the name" : place.error().remedy);
        }
        image_.root_path = RootPath{.local_file = {}, .elsewhere = std::move(*place)};
    }

    void read_models() {
        if (auto enabled = keys_.strings("EnabledSystemIdentifiers"))
            image_.enabled_models = std::move(*enabled);
        sort_unique(image_.enabled_models);
        const bool honour = folder_.honour_disabled_list;
        std::vector<std::string> disabled;
        // Nobody reads that list without the switch, so its type can do no harm either.
        auto listed = honour ? keys_.strings("DisabledSystemIdentifiers")
                             : keys_.strings_if_any("DisabledSystemIdentifiers");
        if (listed) disabled = std::move(*listed);
        sort_unique(disabled);
        std::vector<std::string> both;
        std::ranges::set_intersection(image_.enabled_models, disabled, std::back_inserter(both));
        if (!both.empty()) {
            keys_.warn("DisabledSystemIdentifiers",
                       shown(both.front()) + (both.size() > 1 ? " and others stand" : " stands") +
                           " in both lists of models; the disabled list is " +
                           (honour ? "honoured" : "not read by Apple's server nor here"),
                       "take the model out of one of them");
        }
        if (honour) image_.disabled_models = std::move(disabled);
        warn_of_models(both.size());
    }

    void warn_of_models(std::size_t in_both) {
        const auto& models = image_.enabled_models;
        if (models.empty()) return;
        for (const std::string& model : models) {
            if (model.find_first_of("*?") != std::string::npos) {
                keys_.warn("EnabledSystemIdentifiers",
                           shown(model) + " is taken literally: this file knows no wildcards",
                           "list each model");
            }
        }
        if (std::ranges::none_of(models, [&](const std::string& m) { return facts_.models.netboots(m); })) {
            keys_.warn("EnabledSystemIdentifiers",
                       "none of the " + std::to_string(models.size()) + " models is one that can NetBoot",
                       "write model identifiers such as iMac12,1, or leave the list empty for all");
        } else if (folder_.honour_disabled_list && in_both == models.size()) {
            keys_.warn("EnabledSystemIdentifiers", "every model of the list is disabled as well",
                       "take the models out of DisabledSystemIdentifiers");
        }
    }

    void read_macs() {
        image_.enabled_macs = keys_.macs("EnabledMACAddresses");
        image_.disabled_macs = keys_.macs("DisabledMACAddresses");
        for (const base::MacAddress mac : image_.enabled_macs) {
            if (std::ranges::binary_search(image_.disabled_macs, mac)) {
                keys_.warn("DisabledMACAddresses",
                           mac.text() + " stands in both lists; it does not see the image",
                           "take it out of one of them");
                break;
            }
        }
    }

    void read_load_balance_server() {
        const auto host = keys_.string("LoadBalanceServer");
        if (!host || host->empty()) return;
        image_.load_balance_server = facts_.resolve(*host);
        if (!image_.load_balance_server) {
            keys_.warn("LoadBalanceServer",
                       shown(*host) + " does not resolve to an IPv4 address; this server is named instead",
                       "write its address, or repair name resolution on this server");
        }
    }

    void read_loader_script() {
        const auto path = keys_.string("PomonaLoaderScript");
        if (!path || path->empty()) return;
        if (!is_path_below(*path) || !is_file(*path)) {
            keys_.warn("PomonaLoaderScript",
                       shown(*path) + " is no file of the folder; iPXE is told of no script",
                       "name a file below the folder, such as ipxe/boot.ipxe");
            return;
        }
        if (tftp_path(image_, *path).size() > longest_tftp_path) {
            keys_.warn("PomonaLoaderScript",
                       "its TFTP path is longer than the file field; iPXE is told of no script",
                       "shorten the name of the folder or of the script");
            return;
        }
        image_.loader_script = *path;
    }

    void check_paths() {
        for (const BootFile& boot_file : image_.boot_files) {
            const std::string path = tftp_path(image_, boot_file);
            if (path.size() > longest_tftp_path) {
                keys_.refuse("BootFile",
                             "the TFTP path has " + std::to_string(path.size()) + " octets, more than " +
                                 std::to_string(longest_tftp_path) + ": " + path,
                             "shorten the name of the folder or of the boot file");
            }
        }
        const bool local_nfs =
            type_ == ImageType::nfs && image_.root_path && image_.root_path->elsewhere.empty();
        if (local_nfs && image_.share_path.ends_with('\\')) {
            keys_.refuse(
                "RootPath",
                "the path of the image root ends in a backslash, which hides the colon behind it from "
                "the Mac's kernel",
                "rename the image root");
        }
        const std::string root = root_path_option(image_, base::Ipv4Address::broadcast());
        if (root.size() > longest_root_path) {
            keys_.refuse("RootPath",
                         "the root path has up to " + std::to_string(root.size()) + " octets, more than " +
                             std::to_string(longest_root_path),
                         "shorten the name of the folder or of the disk image");
        }
    }

    const ImageFolder& folder_;
    const ImageFacts& facts_;
    ImageKeys keys_;
    std::optional<ImageType> type_;
    std::uint8_t kind_ = 1;
    NetBootImage image_;
};

}  // namespace

std::optional<NetBootImage> netboot_image_from(const codec::PlistValue& plist, const ImageFolder& folder,
                                               const ImageFacts& facts, std::vector<ImageProblem>& problems) {
    const auto* const dict = plist.get<codec::PlistDict>();
    if (dict == nullptr) {
        problems.push_back({.severity = ImageProblem::Severity::error,
                            .path = folder.plist_path(),
                            .key = {},
                            .what = "the file holds " + std::string(plist.type_name()) + ", not a dictionary",
                            .remedy = "write the keys inside <dict> ... </dict>"});
        return std::nullopt;
    }
    return ImageReader(*dict, folder, facts, problems).read();
}

}  // namespace pomona::model

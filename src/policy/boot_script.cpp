#include <pomona/model/boot_paths.hpp>
#include <pomona/policy/boot_script.hpp>

#include <algorithm>
#include <initializer_list>
#include <utility>
#include <vector>

namespace pomona::policy {

namespace {

using model::BootTarget;
using model::TargetKind;

constexpr std::uint16_t ordinary_http_port = 80;

std::vector<std::string> words_of(std::string_view text) {
    std::vector<std::string> words;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find(' '), text.size());
        if (end > 0) words.emplace_back(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return words;
}

std::string last_part(const std::string& place) {
    return place.substr(place.rfind('/') + 1);
}

/// A kernel started by EFI firmware finds its ramdisks by name only.
std::string with_initrd_names(const BootTarget& target) {
    std::string arguments;
    if (!target.arguments.contains("initrd=")) {
        for (const std::string& initrd : target.initrds) arguments += "initrd=" + last_part(initrd) + " ";
    }
    arguments += target.arguments;
    while (arguments.ends_with(' ')) arguments.pop_back();
    return arguments;
}

/// "http://10.0.1.11/debian/vmlinuz": what iPXE and gPXE take.
std::string url_of(const std::string& place, const ScriptScene& scene) {
    if (model::is_url(place)) return place;
    const std::string path = model::escaped_url_path(place);
    if (!scene.http_port) return "tftp://" + scene.server.text() + "/" + path;
    const std::string port =
        *scene.http_port == ordinary_http_port ? "" : ":" + std::to_string(*scene.http_port);
    return "http://" + scene.server.text() + port + "/" + path;
}

/// What a target that cannot be shown here says instead.
std::string refusal(const BootTarget& target, ScriptLanguage language, const ScriptScene& scene) {
    switch (target.kind) {
        case TargetKind::image:
            if (scene.image_file && !scene.image_file(target).empty()) break;
            return "the image of " + target.name + " is not published, or is for Macs only";
        case TargetKind::fog:
            if (!scene.fog_url.empty()) break;
            return "the server has no fog-url";
        case TargetKind::ignore:
            return "the server has nothing for this machine";
        default:
            break;
    }
    return std::string(text(language)) + " cannot boot " + target.name + ", which is of type " +
           std::string(model::text(target.kind));
}

/// One language: turns targets into lines.
class Writer {
  public:
    Writer(ScriptLanguage language, const ScriptScene& scene) : scene_(scene), language_(language) {}
    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;
    virtual ~Writer() = default;

    std::string script(const BootTarget& target) {
        begin(target);
        boot(target);
        return std::move(script_);
    }

  protected:
    void line(const std::string& text) { script_ += text + "\n"; }

    void boot(const BootTarget& target) {
        switch (target.kind) {
            case TargetKind::linux:
                return linux(target);
            case TargetKind::efi:
                return program(target, target.program);
            case TargetKind::image:
                if (const std::string file = scene().image_file ? scene().image_file(target) : std::string();
                    !file.empty()) {
                    return program(target, file);
                }
                break;
            case TargetKind::chain:
                return chain(target);
            case TargetKind::sanboot:
                return sanboot(target);
            case TargetKind::fog:
                if (!scene().fog_url.empty()) return fog(target);
                break;
            case TargetKind::disk:
                return disk();
            case TargetKind::menu:
                return menu(target);
            case TargetKind::ignore:
                break;
        }
        refuse(target);
    }
    void refuse(const BootTarget& target) {
        say("Pomona: " + refusal(target, language_, scene_) + ".");
        disk();
    }
    [[nodiscard]] const ScriptScene& scene() const { return scene_; }
    [[nodiscard]] const BootTarget* entry(const std::string& name) const {
        return scene_.targets == nullptr ? nullptr : scene_.targets->find(name);
    }

    virtual void begin(const BootTarget& target) = 0;
    virtual void say(const std::string& sentence) = 0;
    virtual void linux(const BootTarget& target) = 0;
    virtual void program(const BootTarget& target, const std::string& place) = 0;
    virtual void chain(const BootTarget& target) = 0;
    virtual void sanboot(const BootTarget& target) { refuse(target); }
    virtual void fog(const BootTarget& target) { refuse(target); }
    virtual void disk() = 0;
    virtual void menu(const BootTarget& target) = 0;

  private:
    const ScriptScene& scene_;
    ScriptLanguage language_;
    std::string script_;
};

std::string joined(std::initializer_list<std::string_view> parts) {
    std::string text;
    for (const std::string_view part : parts) text += part;
    return text;
}

/// Characters that no loader's language gives a meaning to.
bool is_plain(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("-._~/:=,+%@?").contains(c);
}

/// iPXE has no quotes. A word with other than plain characters is put into a variable as hex octets, and the
/// variable's value is neither split nor read for operators.
class IpxeWriter final : public Writer {
  public:
    explicit IpxeWriter(const ScriptScene& scene) : Writer(ScriptLanguage::ipxe, scene) {}

  private:
    void begin(const BootTarget& target) override {
        line("#!ipxe");
        line("# " + target.name + " for " + scene().mac.text());
    }
    void say(const std::string& sentence) override { line("echo " + words(sentence)); }

    void linux(const BootTarget& target) override {
        const std::string arguments = with_initrd_names(target);
        line("kernel " + word(url_of(target.kernel, scene())) +
             (arguments.empty() ? "" : " " + words(arguments)) + failure());
        for (const std::string& initrd : target.initrds)
            line("initrd " + word(url_of(initrd, scene())) + failure());
        line("boot" + failure());
        end_in_failure(target);
    }
    void program(const BootTarget& target, const std::string& place) override {
        line("chain " + word(url_of(place, scene())) + failure());
        end_in_failure(target);
    }
    void chain(const BootTarget& target) override {
        line("chain " + word(target.url) + failure());
        end_in_failure(target);
    }
    void sanboot(const BootTarget& target) override {
        line("sanboot " + word(target.url) + failure());
        end_in_failure(target);
    }
    /// The fields of FOG's own default.ipxe; the card that asked comes first, whatever its number.
    void fog(const BootTarget& target) override {
        line("cpuid --ext 29 && set arch x86_64 || set arch i386");
        line("params");
        line("param mac0 " + scene().mac.text());
        line("param arch ${arch}");
        line("param platform ${platform}");
        line("param product ${product}");
        line("param manufacturer ${manufacturer}");
        line("param ipxever ${version}");
        line("param filename ${filename}");
        for (const auto& [card, field] :
             {std::pair("0", "mac1"), std::pair("1", "mac2"), std::pair("2", "mac3")}) {
            const std::string mac = joined({"${net", card, "/mac}"});
            line(joined({"isset ", mac, " || goto other", card}));
            line(joined({"iseq ", mac, " ", scene().mac.text(), " && goto other", card, " ||"}));
            line(joined({"param ", field, " ", mac}));
            line(joined({":other", card}));
        }
        line("chain " + word(scene().fog_url + "/service/ipxe/boot.php") + "##params" + failure());
        end_in_failure(target);
    }
    /// On a Mac the firmware goes on with its disk; a PC's BIOS has to be told which one.
    void disk() override {
        line("iseq ${platform} efi && exit 1 ||");
        line("sanboot --no-describe --drive 0x80 || exit 1");
    }
    void menu(const BootTarget& target) override {
        const std::string label = "menu" + std::to_string(menus_++);
        line(":" + label);
        line("menu " + words(target.title));
        std::vector<std::pair<std::string, const BootTarget*>> blocks;
        for (const std::string& name : target.entries) {
            const BootTarget* found = entry(name);
            if (found == nullptr) continue;
            blocks.emplace_back(label + "-" + std::to_string(blocks.size()), found);
            line("item " + blocks.back().first + " " + words(found->title));
        }
        if (!scene().self.empty()) line("item " + label + "-reload Read this menu again");
        std::string choose = "choose";
        const auto chosen = std::ranges::find_if(
            blocks, [&](const auto& block) { return block.second->name == target.default_entry; });
        if (chosen != blocks.end()) choose += " --default " + chosen->first;
        if (target.timeout) choose += " --timeout " + std::to_string(target.timeout->count() * 1'000);
        line(choose + " chosen || goto " + label);
        line("goto ${chosen}");
        for (const auto& [name, each] : blocks) {
            line(":" + name);
            boot(*each);
            line("goto " + label);
        }
        if (!scene().self.empty()) {
            line(":" + label + "-reload");
            line("chain --replace " + word(url_of(scene().self, scene())) + " || goto " + label);
        }
    }

    /// After a command that may fail.
    std::string failure() const { return " || goto failed" + std::to_string(failures_); }
    void end_in_failure(const BootTarget& target) {
        line(":failed" + std::to_string(failures_++));
        say("Pomona: " + target.name + " could not be loaded. The disk is next.");
        line("sleep 10");
        disk();
    }

    std::string word(const std::string& text) {
        // "||", "&&" and ";" are made of characters that are not plain, "#" begins a comment.
        if (std::ranges::all_of(text, is_plain)) return text;
        constexpr std::string_view digits = "0123456789abcdef";
        std::string octets;
        for (const char c : text) {
            const auto octet = static_cast<unsigned char>(c);
            if (!octets.empty()) octets += ':';
            octets += digits[octet >> 4U];
            octets += digits[octet & 15U];
        }
        const std::string name = "text" + std::to_string(texts_++);
        line("set " + name + ":hex " + octets);
        return "${" + name + ":string}";
    }
    std::string words(const std::string& text) {
        std::string line;
        for (const std::string& each : words_of(text)) line += (line.empty() ? "" : " ") + word(each);
        return line;
    }

    unsigned menus_ = 0;
    unsigned failures_ = 0;
    unsigned texts_ = 0;
};

/// gPXE knows neither conditions nor menus, and reads variables before it splits a line into words.
class GpxeWriter final : public Writer {
  public:
    explicit GpxeWriter(const ScriptScene& scene) : Writer(ScriptLanguage::gpxe, scene) {}

  private:
    void begin(const BootTarget& target) override {
        line("#!gpxe");
        line("# " + target.name + " for " + scene().mac.text());
    }
    void say(const std::string& sentence) override { line("echo " + literal(sentence)); }
    void linux(const BootTarget& target) override {
        line("kernel " + literal(url_of(target.kernel, scene()) + " " + with_initrd_names(target)));
        for (const std::string& initrd : target.initrds) line("initrd " + literal(url_of(initrd, scene())));
        line("boot");
    }
    void program(const BootTarget& /*target*/, const std::string& place) override {
        line("chain " + literal(url_of(place, scene())));
    }
    void chain(const BootTarget& target) override { line("chain " + literal(target.url)); }
    // Back to the firmware, which goes on with its disk.
    void disk() override { line("exit"); }
    void menu(const BootTarget& target) override {
        const BootTarget* found = entry(target.default_entry);
        if (found == nullptr) return disk();
        say("gPXE has no menus; " + found->title + " is booted.");
        boot(*found);
    }

    /// Without "${", the only thing with a meaning inside a line.
    static std::string literal(std::string text) {
        for (std::size_t at = 0; (at = text.find("${", at)) != std::string::npos;) text.replace(at, 2, "$ {");
        while (text.ends_with(' ')) text.pop_back();
        return text;
    }
};

/// GRUB's single quotes hold everything but themselves.
class GrubWriter final : public Writer {
  public:
    explicit GrubWriter(const ScriptScene& scene) : Writer(ScriptLanguage::grub, scene) {}

  private:
    void begin(const BootTarget& target) override { line("# " + target.name + " for " + scene().mac.text()); }
    void say(const std::string& sentence) override { line("echo " + quoted(sentence)); }
    void linux(const BootTarget& target) override {
        std::string command = "linux " + quoted(file_of(target.kernel));
        for (const std::string& word : words_of(target.arguments)) command += " " + quoted(word);
        if (!target.initrds.empty()) {
            line("if " + command + "; then");
            command = "initrd";
            for (const std::string& initrd : target.initrds) command += " " + quoted(file_of(initrd));
            line("  " + command + " && boot");
            line("fi");
        } else {
            line(command + " && boot");
        }
        fail(target);
    }
    void program(const BootTarget& target, const std::string& place) override {
        line("chainloader " + quoted(file_of(place)) + " && boot");
        fail(target);
    }
    void chain(const BootTarget& target) override {
        // Only its own kind of script; what is a program is a target of type efi.
        line("configfile " + quoted(file_of(target.url)));
        fail(target);
    }
    /// A Mac's own loader if there is one; else the firmware goes on with what comes next.
    void disk() override {
        line("if search --no-floppy --set=mac_disk --file /System/Library/CoreServices/boot.efi; then");
        line("  chainloader ($mac_disk)/System/Library/CoreServices/boot.efi && boot");
        line("fi");
        line("exit");
    }
    void menu(const BootTarget& target) override {
        line("set default=" + quoted(target.default_entry));
        if (target.timeout) {
            line("set timeout=" + std::to_string(target.timeout->count()));
        } else {
            line("set timeout=-1");
        }
        for (const std::string& name : target.entries) {
            const BootTarget* found = entry(name);
            if (found == nullptr) continue;
            const bool deeper = found->kind == TargetKind::menu;
            line(std::string(deeper ? "submenu " : "menuentry ") + quoted(found->title) + " --id " +
                 quoted(found->name) + " {");
            boot(*found);
            line("}");
        }
        if (!scene().self.empty()) {
            line("menuentry 'Read this menu again' --id reload {");
            line("configfile " + quoted(file_of(scene().self)));
            line("}");
        }
    }
    void fail(const BootTarget& target) {
        say("Pomona: " + target.name + " could not be loaded. The disk is next.");
        line("sleep 10");
        disk();
    }

    /// "(http,10.0.1.11)/debian/vmlinuz". GRUB before 2.12 knows no other port than 80.
    [[nodiscard]] std::string file_of(const std::string& place) const {
        if (!model::is_url(place)) {
            const bool http = scene().http_port == ordinary_http_port;
            return std::string(http ? "(http," : "(tftp,") + scene().server.text() + ")/" + place;
        }
        const std::size_t scheme = place.find("://");
        const std::size_t path = place.find('/', scheme + 3);
        const std::string host = place.substr(scheme + 3, path - scheme - 3);
        return "(" + place.substr(0, scheme) + "," + host + ")" +
               (path == std::string::npos ? "/" : place.substr(path));
    }
    static std::string quoted(const std::string& text) {
        std::string quoted = "'";
        for (const char c : text) {
            if (c == '\'') {
                quoted += "'\\''";
            } else {
                quoted += c;
            }
        }
        return quoted + "'";
    }
};

/// PXELINUX takes the rest of a line as it is.
class PxelinuxWriter final : public Writer {
  public:
    explicit PxelinuxWriter(const ScriptScene& scene) : Writer(ScriptLanguage::pxelinux, scene) {}

  private:
    void begin(const BootTarget& target) override {
        line("# " + target.name + " for " + scene().mac.text());
        if (target.kind == TargetKind::menu) return;
        line("DEFAULT " + target.name);
        line("PROMPT 0");
        line("LABEL " + target.name);
    }
    void say(const std::string& sentence) override { line("  SAY " + sentence); }
    void linux(const BootTarget& target) override {
        // A name with a blank would end there.
        if (target.kernel.contains(' ') || std::ranges::any_of(target.initrds, [](const std::string& initrd) {
                return initrd.contains(' ');
            })) {
            return refuse(target);
        }
        line("  KERNEL " + file_of(target.kernel));
        std::string append;
        for (const std::string& initrd : target.initrds) {
            append += (append.empty() ? "initrd=" : ",") + file_of(initrd);
        }
        if (!target.arguments.empty()) append += (append.empty() ? "" : " ") + target.arguments;
        if (!append.empty()) line("  APPEND " + append);
    }
    void program(const BootTarget& target, const std::string& /*place*/) override { refuse(target); }
    void chain(const BootTarget& target) override { refuse(target); }
    void disk() override { line("  LOCALBOOT 0"); }
    void menu(const BootTarget& target) override {
        line("PROMPT 1");
        if (const BootTarget* first = entry(target.default_entry)) line("DEFAULT " + first->name);
        if (target.timeout) line("TIMEOUT " + std::to_string(target.timeout->count() * 10));
        line("SAY " + target.title + ". Type a name and press Enter:");
        for (const std::string& name : target.entries) {
            if (const BootTarget* found = entry(name)) line("SAY   " + found->name + "   " + found->title);
        }
        for (const std::string& name : target.entries) {
            const BootTarget* found = entry(name);
            if (found == nullptr) continue;
            line("LABEL " + found->name);
            if (found->kind == TargetKind::menu) {
                refuse(*found);
            } else {
                boot(*found);
            }
        }
    }

    [[nodiscard]] std::string file_of(const std::string& place) const {
        return model::is_url(place) ? place : scene().server.text() + "::" + place;
    }
};

}  // namespace

std::string_view text(ScriptLanguage language) {
    switch (language) {
        case ScriptLanguage::ipxe:
            return "iPXE";
        case ScriptLanguage::gpxe:
            return "gPXE";
        case ScriptLanguage::grub:
            return "GRUB";
        case ScriptLanguage::pxelinux:
            return "PXELINUX";
    }
    return "";
}

std::string write_boot_script(ScriptLanguage language, const BootTarget& target, const ScriptScene& scene) {
    switch (language) {
        case ScriptLanguage::ipxe:
            return IpxeWriter(scene).script(target);
        case ScriptLanguage::gpxe:
            return GpxeWriter(scene).script(target);
        case ScriptLanguage::grub:
            return GrubWriter(scene).script(target);
        case ScriptLanguage::pxelinux:
            return PxelinuxWriter(scene).script(target);
    }
    return {};
}

}  // namespace pomona::policy

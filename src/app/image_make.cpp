#include "app/image_make.hpp"

#include "app/flag.hpp"
#include "app/image_text.hpp"
#include "io/descriptor.hpp"

#include <pomona/base/bytes.hpp>
#include <pomona/codec/efi.hpp>
#include <pomona/codec/plist.hpp>
#include <pomona/model/image_rules.hpp>
#include <pomona/model/known_models.hpp>

#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <ostream>
#include <set>
#include <string_view>
#include <system_error>
#include <utility>

namespace pomona::app {

namespace {

namespace fs = std::filesystem;
using base::fail;
using base::Result;
using codec::EfiMachine;
using Octets = std::vector<std::uint8_t>;

constexpr std::string_view suffix = ".nbi";
constexpr std::uint16_t first_index = 4097;
/// Boot programs have a few MiB; this is for one with a whole system inside.
constexpr std::uint64_t largest_program = std::uint64_t{1} << 30U;
constexpr mode_t folder_mode = 0755;
constexpr mode_t file_mode = 0644;

std::string reason() {
    return std::generic_category().message(errno);
}

/// Signals that end the program wait while files are half written, so that these can be removed.
class HeldSignals {
  public:
    HeldSignals() {
        sigemptyset(&held_);
        for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&held_, signal);
        pthread_sigmask(SIG_BLOCK, &held_, &before_);
    }
    HeldSignals(const HeldSignals&) = delete;
    HeldSignals& operator=(const HeldSignals&) = delete;
    ~HeldSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

    [[nodiscard]] bool any() const {
        sigset_t pending;
        sigpending(&pending);
        return std::ranges::any_of(std::initializer_list<int>{SIGINT, SIGTERM, SIGHUP}, [&](int signal) {
            return sigismember(&pending, signal) == 1 && sigismember(&before_, signal) == 0;
        });
    }

  private:
    sigset_t held_{};
    sigset_t before_{};
};

/// A folder of our own beside the finished one, whose name no server takes for an image; removed at the end.
class Workshop {
  public:
    static Result<Workshop> open(const fs::path& beside, const std::string& folder) {
        std::string pattern = beside / ("." + folder + ".XXXXXX");
        if (::mkdtemp(pattern.data()) == nullptr) {
            return fail("no folder can be made there: " + reason(), beside.string(),
                        "call it as a user who may write there, or name another folder with --output");
        }
        return Workshop(pattern);
    }
    Workshop(Workshop&& other) noexcept : path_(std::exchange(other.path_, {})) {}
    Workshop(const Workshop&) = delete;
    Workshop& operator=(const Workshop&) = delete;
    Workshop& operator=(Workshop&&) = delete;
    ~Workshop() {
        std::error_code ignored;
        if (!path_.empty()) fs::remove_all(path_, ignored);
    }

    [[nodiscard]] const fs::path& path() const { return path_; }

  private:
    explicit Workshop(fs::path path) : path_(std::move(path)) {}

    fs::path path_;
};

Result<Octets> read_file(const std::string& path, const std::string& where) {
    // A FIFO would keep us waiting.
    const io::Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!file) return fail(path + " cannot be read: " + reason(), where, "name a file that you may read");
    struct stat status{};
    if (::fstat(file.get(), &status) != 0) return fail(path + " cannot be read: " + reason(), where);
    if (!S_ISREG(status.st_mode)) return fail(path + " is no regular file", where, "name a file");
    const auto size = static_cast<std::uint64_t>(status.st_size);
    if (size > largest_program) {
        return fail(path + " is larger than 1 GiB", where, "name the file itself, not an image of a disk");
    }
    Octets octets(static_cast<std::size_t>(size));
    std::size_t filled = 0;
    while (filled < octets.size()) {
        const ssize_t count = ::read(file.get(), octets.data() + filled, octets.size() - filled);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return fail(path + " cannot be read: " + reason(), where, "check the disk");
        if (count == 0) break;
        filled += static_cast<std::size_t>(count);
    }
    octets.resize(filled);
    return octets;
}

Result<void> write_file(const fs::path& path, base::Bytes octets) {
    const io::Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, file_mode));
    bool written = static_cast<bool>(file) && ::fchmod(file.get(), file_mode) == 0;
    while (written && !octets.empty()) {
        const ssize_t count = ::write(file.get(), octets.data(), octets.size());
        if (count < 0 && errno == EINTR) continue;
        written = count >= 0;
        if (written) octets = octets.subspan(static_cast<std::size_t>(count));
    }
    if (!written) {
        return fail("it cannot be written: " + reason(), path.filename().string(),
                    "make room on the disk, and call it as a user who may write there");
    }
    return {};
}

Result<void> make_folder(const fs::path& path) {
    // The process' mask must not keep the server's user out.
    if (::mkdir(path.c_str(), folder_mode) == 0 && ::chmod(path.c_str(), folder_mode) == 0) return {};
    return fail("the folder cannot be made: " + reason(), path.filename().string(), "make room on the disk");
}

std::string_view flag_of(EfiMachine machine) {
    return machine == EfiMachine::x64 ? "--x64" : "--ia32";
}

/// A plain EFI program for `machine`, or why the file is none.
Result<Octets> read_program(const std::string& path, EfiMachine machine) {
    const std::string where = "flag " + std::string(flag_of(machine));
    auto octets = read_file(path, where);
    if (!octets) return octets;
    const auto program = codec::inspect_efi(*octets);
    if (!program) {
        return fail(path + ": " + program.error().what + " (" + program.error().where + ")", where,
                    program.error().remedy);
    }
    if (program->is_container) {
        return fail(path + " is a universal file already, made of several programs", where,
                    "give the plain programs that it was made of");
    }
    if (!program->runs_on(machine)) {
        const bool is_x64 = machine == EfiMachine::ia32;
        return fail(path + " is a program for " + (is_x64 ? "64-bit EFI (x64)" : "32-bit EFI (ia32)"), where,
                    is_x64 ? "give it as --x64, and a program for 32-bit EFI as --ia32"
                           : "give it as --ia32, and a program for 64-bit EFI as --x64");
    }
    if (const std::uint16_t subsystem = program->slices.front().subsystem; subsystem != 10) {
        return fail(
            path + " is a driver for EFI (subsystem " + std::to_string(subsystem) + "), which starts nothing",
            where, "name a boot program such as GRUB or iPXE");
    }
    return octets;
}

struct Programs {
    std::optional<Octets> x64;
    std::optional<Octets> ia32;

    [[nodiscard]] model::EfiWidth width() const {
        if (x64 && ia32) return model::EfiWidth::universal;
        return x64 ? model::EfiWidth::x64 : model::EfiWidth::ia32;
    }
};

Result<Programs> read_programs(const ImageMakeOptions& options) {
    Programs programs;
    for (const EfiMachine machine : {EfiMachine::x64, EfiMachine::ia32}) {
        const auto& path = machine == EfiMachine::x64 ? options.x64 : options.ia32;
        if (!path) continue;
        auto octets = read_program(*path, machine);
        if (!octets) return std::unexpected(octets.error());
        (machine == EfiMachine::x64 ? programs.x64 : programs.ia32) = std::move(*octets);
    }
    if (!programs.x64 && !programs.ia32) {
        return fail("no program was given", {}, "name it with --x64, and the one for 32-bit EFI with --ia32");
    }
    return programs;
}

/// A list that names a Mac which cannot start the image would be a trap.
Result<void> check_model(const std::string& name, model::EfiWidth width, const model::KnownModels& models) {
    const std::string where = "flag --model";
    if (name.find_first_of("*?") != std::string::npos) {
        return fail(in_quotes(name) + " would be taken literally: a list of models knows no wildcards", where,
                    "give --model once for each model");
    }
    const model::ModelFacts facts = models.find(name).value_or(model::ModelFacts{});
    if (facts.netboot == model::NetBooting::no_t2)
        return fail(name + " cannot NetBoot: it has a T2 chip", where, "leave it out");
    if (facts.netboot == model::NetBooting::no_apple_silicon)
        return fail(name + " cannot NetBoot: it has Apple's own processor", where, "leave it out");
    if (facts.firmware == model::Firmware::none)
        return fail(name + " is a PowerPC Mac and starts no EFI program", where, "leave it out");
    if (models.may_start(name, width)) return {};
    if (width == model::EfiWidth::x64) {
        return fail(
            name + " has 32-bit EFI, and the only program is for 64-bit EFI", where,
            "add a program for it with --ia32; if its EFI has 64 bits, say so with the setting x64-model");
    }
    return fail(
        name + (models.find(name) ? " has 64-bit EFI" : " is unknown and counts as 64-bit") +
            ", and the only program is for 32-bit EFI",
        where, "add a program for it with --x64; if its EFI has 32 bits, say so with the setting ia32-model");
}

Result<std::string> folder_name(const std::string& name) {
    const std::string where = "image make";
    std::string folder = name.ends_with(suffix) ? name : name + std::string(suffix);
    if (folder.find('/') != std::string::npos) {
        return fail(in_quotes(name) + " is a path, not a name", where,
                    "write the name alone, and the folder above it with --output");
    }
    const bool odd = std::ranges::any_of(
        folder, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f || c == '\\'; });
    if (odd || folder.starts_with('.') || folder.size() > 100) {
        return fail(in_quotes(name) + " is no name for an image folder", where,
                    "write up to 96 letters, digits and dashes, such as grub");
    }
    return folder;
}

/// Copies a file, or a folder with all that is in it; links to files become files.
class Additions {
  public:
    Additions(fs::path image, const HeldSignals& signals) : image_(std::move(image)), signals_(signals) {}

    Result<void> add(const std::string& source) {
        std::error_code error;
        fs::path path = fs::absolute(source, error).lexically_normal();
        if (!path.has_filename()) path = path.parent_path();
        if (!path.has_filename())
            return refuse(source, "this is the root of the whole system", "name a folder");
        return copy(path, path.filename());
    }

  private:
    static Result<void> refuse(const std::string& path, const std::string& what, const std::string& remedy) {
        return fail(path + ": " + what, "flag --add", remedy);
    }

    Result<void> copy(const fs::path& source, const fs::path& inside) {
        if (signals_.any()) return refuse(source, "interrupted", "");
        std::error_code error;
        const fs::file_status status = fs::status(source, error);
        if (error && status.type() != fs::file_type::not_found) {
            return refuse(source, "it cannot be looked at: " + error.message(), "name what you may read");
        }
        const bool is_link = fs::is_symlink(fs::symlink_status(source, error));
        switch (status.type()) {
            case fs::file_type::regular: {
                if (fs::exists(image_ / inside, error)) {
                    return refuse(source, "the image has " + in_quotes(inside.string()) + " already",
                                  "rename it, or leave it out");
                }
                const auto octets = read_file(source, "flag --add");
                if (!octets) return std::unexpected(octets.error());
                return write_file(image_ / inside, *octets);
            }
            case fs::file_type::directory:
                if (is_link && inside.has_parent_path()) {
                    return refuse(source, "this is a link to a folder", "copy the folder there instead");
                }
                return copy_folder(source, inside);
            case fs::file_type::not_found:
                return refuse(source, is_link ? "the link leads nowhere" : "there is no such file or folder",
                              "correct the name");
            default:
                return refuse(source, "this is neither a file nor a folder", "leave it out");
        }
    }

    Result<void> copy_folder(const fs::path& source, const fs::path& inside) {
        std::error_code error;
        if (!fs::exists(image_ / inside, error)) {
            if (const auto made = make_folder(image_ / inside); !made) return made;
        } else if (!fs::is_directory(image_ / inside, error)) {
            return refuse(source, "the image has " + in_quotes(inside.string()) + " already",
                          "rename it, or leave it out");
        }
        // Collected first: what is being written may lie inside.
        std::set<fs::path> entries;
        for (fs::directory_iterator entry(source, error), end; !error && entry != end;
             entry.increment(error)) {
            if (!image_.string().starts_with(entry->path().string() + "/")) entries.insert(entry->path());
        }
        if (error) {
            return refuse(source, "the folder cannot be read: " + error.message(), "name what you may read");
        }
        for (const fs::path& entry : entries) {
            if (const auto copied = copy(entry, inside / entry.filename()); !copied) return copied;
        }
        return {};
    }

    fs::path image_;
    const HeldSignals& signals_;
};

codec::PlistValue text_value(std::string_view text) {
    return codec::PlistValue(std::string(text));
}

std::string plist_of(const ImageMakeOptions& options, const std::string& title, std::uint16_t index) {
    codec::PlistDict dict;
    dict.add("Name", text_value(title));
    dict.add("Index", codec::PlistValue(std::int64_t{index}));
    dict.add("Type", text_value("BootFileOnly"));
    dict.add("Kind", codec::PlistValue(std::int64_t{1}));
    dict.add("IsInstall", codec::PlistValue(options.is_install));
    dict.add("IsEnabled", codec::PlistValue(true));
    dict.add("IsDefault", codec::PlistValue(options.is_default));
    codec::PlistArray architectures;
    architectures.push_back(text_value("i386"));
    dict.add("Architectures", codec::PlistValue(std::move(architectures)));
    dict.add("BootFile", text_value("booter"));
    if (options.separate) dict.add("PomonaBootFileIA32", text_value("booter-ia32"));
    if (options.script) dict.add("PomonaLoaderScript", text_value(*options.script));
    if (!options.models.empty()) {
        codec::PlistArray models;
        for (const std::string& model : options.models) models.push_back(text_value(model));
        dict.add("EnabledSystemIdentifiers", codec::PlistValue(std::move(models)));
    }
    return codec::write_xml_plist(codec::PlistValue(std::move(dict)));
}

Result<void> write_programs(const fs::path& image, const Programs& programs, bool separate) {
    const fs::path booter = image / "i386" / "booter";
    if (!programs.x64 || !programs.ia32)
        return write_file(booter, programs.x64 ? *programs.x64 : *programs.ia32);
    if (separate) {
        if (const auto written = write_file(booter, *programs.x64); !written) return written;
        return write_file(image / "i386" / "booter-ia32", *programs.ia32);
    }
    const auto universal = codec::build_universal_efi({*programs.ia32, *programs.x64});
    if (!universal) return std::unexpected(universal.error());
    return write_file(booter, *universal);
}

/// Every index of the image roots and of the folder we write to, but that of the image we replace.
std::vector<store::TakenIndex> taken_indexes(store::ImageFolderSettings settings, const fs::path& output,
                                             const fs::path& target, std::optional<std::uint16_t>& replaced) {
    settings.external_tftp_root.reset();
    const bool is_root = std::ranges::any_of(settings.roots, [&](const store::ImageRoot& root) {
        std::error_code error;
        return fs::equivalent(root.path, output, error) && !error;
    });
    if (!is_root) settings.roots.push_back({.name = "the folder of --output", .path = output.string()});
    // Nobody need wait for name servers to learn a number.
    settings.resolve = [](const std::string&) { return std::nullopt; };
    std::vector<store::TakenIndex> taken = store::read_image_folders(settings).indexes;
    std::erase_if(taken, [&](const store::TakenIndex& one) {
        std::error_code error;
        const bool same = fs::equivalent(one.path, target, error) && !error;
        if (same && one.index >= 1 && one.index <= 65535) replaced = static_cast<std::uint16_t>(one.index);
        return same;
    });
    return taken;
}

Result<std::uint16_t> choose_index(const ImageMakeOptions& options,
                                   const std::vector<store::TakenIndex>& taken,
                                   std::optional<std::uint16_t> replaced) {
    const auto holder = [&](std::uint32_t index) {
        return std::ranges::find(taken, static_cast<std::int64_t>(index), &store::TakenIndex::index);
    };
    const auto next_free = [&] {
        std::uint32_t index = first_index;
        while (index <= 65535 && holder(index) != taken.end()) ++index;
        return index;
    };
    if (options.index) {
        if (*options.index == 0) return fail("0 is no index", "flag --index", "use a number from 1 to 65535");
        const auto found = holder(*options.index);
        if (found == taken.end()) return *options.index;
        return fail("the index " + std::to_string(*options.index) + " is that of " + found->path,
                    "flag --index",
                    next_free() <= 65535 ? "use " + std::to_string(next_free()) + ", or leave it out"
                                         : "remove that image");
    }
    // Macs have remembered the image by its index.
    if (replaced && holder(*replaced) == taken.end()) return *replaced;
    if (next_free() > 65535) return fail("no index is free", {}, "remove an image");
    return static_cast<std::uint16_t>(next_free());
}

/// Puts the finished folder into its place in one step.
Result<void> move_into_place(const fs::path& finished, const fs::path& target, bool replace,
                             const fs::path& workshop) {
    const auto rename = [](const fs::path& from, const fs::path& to, unsigned flags) {
        return ::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), flags) == 0;
    };
    const auto failed = [&] {
        const bool exists = errno == EEXIST || errno == ENOTEMPTY;
        return fail(
            exists ? "the folder exists already" : "the folder cannot be put into its place: " + reason(),
            target.string(), exists ? "write --replace, or choose another name" : "");
    };
    if (rename(finished, target, replace ? RENAME_EXCHANGE : RENAME_NOREPLACE)) return {};
    if (errno != EINVAL) return failed();
    // A file system such as NFS knows only the plain step; the old folder goes away for a moment then.
    // It waits outside of the workshop, which is removed whatever happens.
    const fs::path aside = workshop.string() + ".replaced";
    if (replace && !rename(target, aside, 0)) return failed();
    if (!rename(finished, target, 0)) {
        auto error = failed();
        if (replace && !rename(aside, target, 0))
            error.error().remedy = "the older folder is " + aside.string() + ": rename it back";
        return error;
    }
    std::error_code ignored;
    if (replace) fs::remove_all(aside, ignored);
    return {};
}

Result<fs::path> output_folder(const ImageMakeOptions& options, const store::ImageFolderSettings& settings) {
    if (!options.output && settings.roots.empty())
        return fail("there is no image root", {}, "name a folder with --output");
    const std::string text = options.output ? *options.output : settings.roots.front().path;
    const std::string where = options.output ? "flag --output" : "setting image-root";
    std::error_code error;
    fs::path folder = fs::canonical(text, error);
    if (error || !fs::is_directory(folder, error)) {
        return fail(text + " is no folder" + (error ? ": " + error.message() : ""), where,
                    "make it first, or name another one with --output");
    }
    return folder;
}

/// The rules of the daemon, on the folder before it appears.
Result<std::vector<model::ImageProblem>> check_finished(const store::ImageFolderSettings& settings,
                                                        const fs::path& workshop, const fs::path& output,
                                                        const std::string& folder) {
    store::ImageFolderSettings alone = settings;
    const auto known = std::ranges::find_if(settings.roots, [&](const store::ImageRoot& root) {
        std::error_code error;
        return fs::equivalent(root.path, output, error) && !error;
    });
    alone.roots = {
        {.name = known == settings.roots.end() ? "NetBootSP0" : known->name, .path = workshop.string()}};
    alone.external_tftp_root.reset();
    alone.only_folder = folder;
    store::ImageReading reading = store::read_image_folders(alone);
    for (model::ImageProblem& problem : reading.problems) {
        // It is gone before anybody can look.
        if (problem.path.starts_with(workshop.string())) {
            problem.path = output.string() + problem.path.substr(workshop.string().size());
        }
        // Our own keys would be passed over with a warning.
        if (problem.severity == model::ImageProblem::Severity::error || problem.key.starts_with("Pomona")) {
            return fail((problem.key.empty() ? "" : problem.key + ": ") + problem.what, problem.path,
                        problem.remedy);
        }
    }
    return std::move(reading.problems);
}

}  // namespace

Result<MadeImage> make_image(const ImageMakeOptions& options, const store::ImageFolderSettings& settings) {
    const auto folder = folder_name(options.name);
    if (!folder) return std::unexpected(folder.error());
    const auto programs = read_programs(options);
    if (!programs) return std::unexpected(programs.error());
    if (options.separate && programs->width() != model::EfiWidth::universal)
        return fail("there is only one program", "flag --separate", "give both --x64 and --ia32");
    for (const std::string& model : options.models) {
        const auto fits = check_model(model, programs->width(), settings.models);
        if (!fits) return std::unexpected(fits.error());
    }
    const auto output = output_folder(options, settings);
    if (!output) return std::unexpected(output.error());
    const fs::path target = *output / *folder;

    // Two that run at once must not choose the same index.
    const io::Descriptor lock(::open(output->c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!lock || ::flock(lock.get(), LOCK_EX) != 0)
        return fail("the folder cannot be opened: " + reason(), output->string(), "let your user read it");
    std::error_code ignored;
    const fs::file_status existing = fs::symlink_status(target, ignored);
    if (fs::exists(existing) && !options.replace) {
        return fail("the folder exists already", target.string(), "write --replace, or choose another name");
    }
    if (fs::exists(existing) && !fs::is_directory(existing)) {
        return fail("this is no folder and is not replaced", target.string(),
                    "remove it, or choose another name");
    }
    std::optional<std::uint16_t> replaced;
    const auto taken = taken_indexes(settings, *output, target, replaced);
    const auto index = choose_index(options, taken, replaced);
    if (!index) return std::unexpected(index.error());

    const HeldSignals signals;
    const auto workshop = Workshop::open(*output, *folder);
    if (!workshop) return std::unexpected(workshop.error());
    const fs::path image = workshop->path() / *folder;
    for (const fs::path& part : {image, image / "i386"}) {
        if (const auto made = make_folder(part); !made) return std::unexpected(made.error());
    }
    const std::string title = options.title.value_or(folder->substr(0, folder->size() - suffix.size()));
    const std::string plist = plist_of(options, title, *index);
    if (const auto written = write_programs(image, *programs, options.separate); !written)
        return std::unexpected(written.error());
    if (const auto written = write_file(image / model::image_info_file, base::as_bytes(plist)); !written)
        return std::unexpected(written.error());
    Additions additions(image, signals);
    for (const std::string& addition : options.additions) {
        if (const auto added = additions.add(addition); !added) return std::unexpected(added.error());
    }
    if (options.script && !fs::is_regular_file(image / *options.script, ignored)) {
        return fail(in_quotes(*options.script) + " is no file of the image", "flag --script",
                    "put it there with --add, and name it as it lies inside, such as ipxe/boot.ipxe");
    }
    auto problems = check_finished(settings, workshop->path(), *output, *folder);
    if (!problems) return std::unexpected(problems.error());
    // Whole after a power cut too.
    if (::syncfs(lock.get()) != 0)
        return fail("it cannot be written: " + reason(), target.string(), "check the disk");
    if (signals.any()) return fail("interrupted", target.string());
    const bool replaces = fs::exists(existing);
    const auto moved = move_into_place(image, target, replaces, workshop->path());
    if (!moved) return std::unexpected(moved.error());
    return MadeImage{.path = target.string(),
                     .id = base::BootImageId(options.is_install, 1, *index),
                     .replaced = replaces,
                     .problems = std::move(*problems)};
}

int run_image_make(const ImageMakeOptions& options, const store::ImageFolderSettings& settings, bool json,
                   std::ostream& out, std::ostream& err) {
    const auto made = make_image(options, settings);
    if (!made) {
        err << "pomona image make: " << made.error().text() << '\n';
        return 1;
    }
    if (json) {
        nlohmann::ordered_json problems = nlohmann::ordered_json::array();
        for (const model::ImageProblem& problem : made->problems) problems.push_back(problem_json(problem));
        out << nlohmann::ordered_json{{"path", made->path},
                                      {"id", made->id.text()},
                                      {"index", made->id.index()},
                                      {"replaced", made->replaced},
                                      {"problems", problems}}
                   .dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace)
            << '\n';
    } else {
        out << made->path << (made->replaced ? " was replaced" : " was made") << ": " << made->id.text()
            << ", index " << made->id.index() << "\n";
        for (const model::ImageProblem& problem : made->problems) out << problem.text() << '\n';
    }
    return 0;
}

}  // namespace pomona::app

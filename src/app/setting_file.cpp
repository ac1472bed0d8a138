#include "app/setting_file.hpp"

#include "app/flag.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>

namespace pomona::app {

namespace {

/// Nobody writes longer ones; a device or a disk image named by mistake must not fill memory.
constexpr std::size_t largest_file = 1 << 20;

constexpr std::string_view blanks = " \t\r";

std::string_view trimmed(std::string_view text) {
    const std::size_t begin = text.find_first_not_of(blanks);
    if (begin == std::string_view::npos) return {};
    return text.substr(begin, text.find_last_not_of(blanks) - begin + 1);
}

/// The value behind '=', without comment and quotes.
base::Result<std::string> value_of(std::string_view text) {
    text = trimmed(text);
    if (text.starts_with('"')) {
        const std::size_t end = text.find('"', 1);
        if (end == std::string_view::npos) {
            return base::fail("the closing quote is missing", {}, "end the value with \"");
        }
        const std::string_view after = trimmed(text.substr(end + 1));
        if (!after.empty() && !after.starts_with('#')) {
            return base::fail("there is text after the closing quote", {}, "put the whole value in quotes");
        }
        return std::string(text.substr(1, end - 1));
    }
    if (text.starts_with('#')) return std::string();
    const std::size_t comment = std::min(text.find(" #"), text.find("\t#"));
    return std::string(trimmed(text.substr(0, comment)));
}

base::Result<std::string> contents_of(const std::string& file) {
    std::error_code error;
    if (std::filesystem::is_directory(file, error)) {
        return base::fail("it is a folder", file, "name a file");
    }
    errno = 0;
    std::ifstream stream(file, std::ios::binary);
    if (!stream) {
        const std::string reason = std::strerror(errno);
        return base::fail("it cannot be read (" + reason + ")", file, "name a file that this user may read");
    }
    std::string text(largest_file + 1, '\0');
    stream.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(stream.gcount()));
    if (text.size() > largest_file) {
        return base::fail("it is larger than 1 MiB", file, "name a file of lines like: tftp-port = 69");
    }
    return text;
}

base::Result<void> append_file(std::vector<GivenSetting>& all, const std::string& file) {
    base::Result<std::string> text = contents_of(file);
    if (!text) return std::unexpected(text.error());
    base::Result<std::vector<GivenSetting>> given = parse_settings_text(*text, file);
    if (!given) return std::unexpected(given.error());
    std::ranges::move(*given, std::back_inserter(all));
    return {};
}

base::Result<std::vector<std::string>> drop_ins_of(const std::string& folder) {
    std::vector<std::string> files;
    std::error_code error;
    std::filesystem::directory_iterator entries(folder, error);
    if (error == std::errc::no_such_file_or_directory) return files;
    for (; !error && entries != std::filesystem::directory_iterator(); entries.increment(error)) {
        if (entries->path().extension() == ".conf") files.push_back(entries->path().string());
    }
    if (error) {
        return base::fail("it cannot be read (" + error.message() + ")", folder,
                          "let this user read the folder, or remove it");
    }
    std::ranges::sort(files);
    return files;
}

}  // namespace

base::Result<std::vector<GivenSetting>> parse_settings_text(std::string_view text, const std::string& file) {
    std::vector<GivenSetting> all;
    for (int number = 1; !text.empty(); ++number) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        const std::string_view line = trimmed(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
        if (line.empty() || line.starts_with('#') || line.starts_with(';')) continue;

        const std::string where = file + " line " + std::to_string(number);
        if (line.starts_with('[')) {
            return base::fail("sections like " + in_quotes(line) + " are not used here", where,
                              "remove the line");
        }
        const std::size_t equals = line.find('=');
        const std::string_view name = trimmed(line.substr(0, equals));
        if (equals == std::string_view::npos || name.empty()) {
            return base::fail(in_quotes(line) + " is no setting", where, "write: name = value");
        }
        const base::Result<std::string> value = value_of(line.substr(equals + 1));
        if (!value) return base::fail(value.error().what, where, value.error().remedy);
        all.push_back({std::string(name), *value, where});
    }
    return all;
}

base::Result<std::vector<GivenSetting>> read_settings_files(const std::string& file, bool must_exist) {
    std::vector<GivenSetting> all;
    std::error_code ignored;
    if (must_exist || std::filesystem::exists(std::filesystem::symlink_status(file, ignored))) {
        if (base::Result<void> read = append_file(all, file); !read) return std::unexpected(read.error());
    }
    const base::Result<std::vector<std::string>> drop_ins = drop_ins_of(file + ".d");
    if (!drop_ins) return std::unexpected(drop_ins.error());
    for (const std::string& drop_in : *drop_ins) {
        if (base::Result<void> read = append_file(all, drop_in); !read) return std::unexpected(read.error());
    }
    return all;
}

}  // namespace pomona::app

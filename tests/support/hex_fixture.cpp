#include "support/hex_fixture.hpp"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <tuple>

namespace pomona::tests {

namespace {

using Fixtures = std::map<std::string, Payload, std::less<>>;

[[noreturn]] void complain(const std::filesystem::path& file, int line, const std::string& what) {
    throw std::runtime_error(file.string() + ":" + std::to_string(line) + ": " + what);
}

class HexFile {
  public:
    explicit HexFile(const std::filesystem::path& file) : file_(file) {}

    Fixtures read() {
        std::ifstream in(file_);
        if (!in) complain(file_, 0, "cannot be opened");
        for (std::string line; std::getline(in, line);) {
            ++line_;
            line.erase(std::min(line.find('#'), line.size()));
            if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
            std::istringstream words(line);
            if (line[0] == '[') {
                begin_block(words);
            } else {
                take_octets(words);
            }
        }
        return std::move(blocks_);
    }

  private:
    void begin_block(std::istringstream& words) {
        char bracket = 0;
        std::string name;
        std::size_t length = 0;
        if (!(words >> bracket >> name >> length >> bracket) || bracket != ']') {
            complain(file_, line_, "expected [name length]");
        }
        const auto [at, added] = blocks_.emplace(name, Payload(length));
        if (!added) complain(file_, line_, name + " is there twice");
        block_ = &at->second;
        written_.assign(length, false);
    }

    void take_octets(std::istringstream& words) {
        std::size_t offset = 0;
        char colon = 0;
        if (block_ == nullptr || !(words >> std::hex >> offset >> colon) || colon != ':') {
            complain(file_, line_, "expected offset: octets");
        }
        unsigned octet = 0;
        for (; words >> octet; ++offset) {
            if (octet > 0xff) complain(file_, line_, "an octet above ff");
            if (offset >= block_->size()) complain(file_, line_, "past the end of the block");
            if (written_[offset]) complain(file_, line_, "an octet is written twice");
            written_[offset] = true;
            (*block_)[offset] = static_cast<std::uint8_t>(octet);
        }
        if (!words.eof()) complain(file_, line_, "not a hexadecimal octet");
    }

    const std::filesystem::path& file_;
    int line_ = 0;
    Fixtures blocks_;
    Payload* block_ = nullptr;
    std::vector<bool> written_;
};

const Fixtures& bsdp_examples() {
    static const Fixtures examples = read_hex_fixture(test_data() / "frames" / "bsdp_examples.hex");
    return examples;
}

}  // namespace

std::filesystem::path test_data() {
    return POMONA_TEST_DATA;
}

Fixtures read_hex_fixture(const std::filesystem::path& file) {
    return HexFile(file).read();
}

const Payload& bsdp_example(std::string_view name) {
    const auto found = bsdp_examples().find(name);
    if (found == bsdp_examples().end()) throw std::out_of_range("no example " + std::string(name));
    return found->second;
}

std::vector<std::string> bsdp_example_names() {
    std::vector<std::string> names;
    for (const auto& [name, payload] : bsdp_examples()) names.push_back(name);
    std::ranges::sort(names, {},
                      [](const std::string& name) { return std::tuple(name[0], name.size(), name); });
    return names;
}

}  // namespace pomona::tests

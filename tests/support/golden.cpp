#include "support/golden.hpp"

#include "support/hex_fixture.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace pomona::tests {

testing::AssertionResult matches_golden(const std::string& name, std::string_view text) {
    const std::filesystem::path path = test_data() / "golden" / name;
    if (std::getenv("POMONA_WRITE_GOLDEN") != nullptr) {
        std::filesystem::create_directories(path.parent_path());
        std::ofstream(path) << text;
        return testing::AssertionFailure() << path << " was written anew";
    }
    std::ifstream in(path);
    if (!in) return testing::AssertionFailure() << path << " cannot be opened";
    const std::string kept{std::istreambuf_iterator<char>(in), {}};
    if (kept == text) return testing::AssertionSuccess();
    return testing::AssertionFailure() << path << " says\n" << kept << "but now it is\n" << text;
}

}  // namespace pomona::tests

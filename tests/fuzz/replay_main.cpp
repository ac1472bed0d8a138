// Runs a fuzz target over every file of the folders given, so that each build replays the corpus, whatever
// the compiler.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

int main(int argc, char** argv) {
    std::vector<std::filesystem::path> files;
    for (int i = 1; i < argc; ++i) {
        for (const auto& entry : std::filesystem::directory_iterator(argv[i])) {
            if (entry.is_regular_file()) files.push_back(entry.path());
        }
    }
    std::ranges::sort(files);
    for (const std::filesystem::path& file : files) {
        std::printf("%s\n", file.c_str());
        (void)std::fflush(stdout);  // the last name printed is the one that ended the program
        std::ifstream in(file, std::ios::binary);
        std::vector<char> text{std::istreambuf_iterator<char>(in), {}};
        text.shrink_to_fit();  // so that a sanitizer sees the first octet past the end
        (void)LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
    }
    std::printf("%zu files\n", files.size());
    return files.empty() ? 1 : 0;
}

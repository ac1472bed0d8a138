// Writes the files that follow the program's tables of settings and subcommands: the manual page, the sample
// settings and the completion for bash. Run: ninja -C build/dev update_docs && build/dev/src/app/update_docs
// .
#include "app/bash_completion.hpp"
#include "app/manual_page.hpp"
#include "app/sample_settings.hpp"

#include <fstream>
#include <iostream>
#include <string>

int main(int argc, char** argv) {
    if (argc != 2) {
        std::cerr << "usage: update_docs ROOT_OF_THE_SOURCES\n";
        return 2;
    }
    const std::string root(argv[1]);
    bool written = true;
    const auto write = [&](const std::string& name, const std::string& text) {
        std::ofstream file(root + "/" + name, std::ios::binary);
        file << text;
        if (!file.flush()) {
            std::cerr << "cannot write " << root << "/" << name << "\n";
            written = false;
        }
    };
    write("docs/pomona.8", pomona::app::manual_page());
    write("packaging/pomona.conf", pomona::app::sample_settings());
    write("packaging/pomona.bash-completion", pomona::app::bash_completion());
    return written ? 0 : 1;
}

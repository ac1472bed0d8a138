// The program: picks the subcommand.
#include <cstdio>

int main() {
    std::puts("pomona " POMONA_VERSION);
    return 0;
}

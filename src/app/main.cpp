// The program: reads the command line and runs the subcommand. Exit codes: 0 well, 1 the environment, 2
// usage.
#include "app/check.hpp"
#include "app/command_line.hpp"
#include "app/probe.hpp"
#include "app/serve.hpp"

#include <unistd.h>

#include <exception>
#include <iostream>
#include <string>
#include <variant>
#include <vector>

namespace {

using namespace pomona::app;

constexpr int environment_failed = 1;
constexpr int usage_failed = 2;

/// For subcommands whose part is not linked in.
int not_built(const char* subcommand) {
    std::cerr << "pomona: '" << subcommand << "' is not part of this build\n";
    return environment_failed;
}

/// The dispatch table: one line per subcommand.
struct Run {
    int operator()(const PrintCommand& command) const { return std::cout << command.text, 0; }
    int operator()(const ServeCommand& command) const { return serve(command.settings); }
    int operator()(const CheckCommand& command) const {
        return run_check(command.settings, command.json, std::cout, published_images);
    }
    int operator()(const ProbeCommand& command) const { return run_probe(command.options, std::cout); }
    int operator()(const ImageCommand& /*command*/) const { return not_built("image"); }
    int operator()(const MachineCommand& /*command*/) const { return not_built("machine"); }
};

int run(const std::vector<std::string>& arguments) {
    std::vector<std::string> environment;
    for (char** variable = environ; *variable != nullptr; ++variable) environment.emplace_back(*variable);

    const auto command = parse_command_line(arguments, environment);
    if (!command) {
        std::cerr << "pomona: " << command.error().text() << "\n";
        return usage_failed;
    }
    const int result = std::visit(Run{}, *command);
    if (!std::cout.flush()) {
        std::cerr << "pomona: standard output cannot be written\n";
        return environment_failed;
    }
    return result;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        return run(std::vector<std::string>(argv + (argc > 0 ? 1 : 0), argv + argc));
    } catch (const std::exception& error) {
        std::cerr << "pomona: " << error.what() << "\n";
        return environment_failed;
    }
}

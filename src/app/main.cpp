// The program: reads the command line and runs the subcommand. Exit codes: 0 well, 1 the environment, 2
// usage.
#include "app/check.hpp"
#include "app/command_line.hpp"
#include "app/image.hpp"
#include "app/image_make.hpp"
#include "app/machine.hpp"
#include "app/probe.hpp"
#include "app/published_images.hpp"
#include "app/serve.hpp"

#include <unistd.h>

#include <exception>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace {

using namespace pomona::app;

constexpr int environment_failed = 1;
constexpr int usage_failed = 2;

MachinePlaces machine_places(const Settings& settings) {
    return {.control_socket = settings.control_socket,
            .database = settings.state_dir + "/clients.db",
            .machine_name_prefix = settings.machine_name_prefix,
            .max_machines = settings.max_machines,
            // Without a daemon the image folders are read, but only when a name has to be understood.
            .images = pomona::servers::names_in([settings] {
                auto reading = pomona::store::read_image_folders(image_folder_settings(settings));
                return std::make_shared<const pomona::model::Catalogue>(std::move(reading.catalogue));
            })};
}

/// The dispatch table: one line per subcommand.
struct Run {
    int operator()(const PrintCommand& command) const { return std::cout << command.text, 0; }
    int operator()(const ServeCommand& command) const { return serve(command.settings); }
    int operator()(const CheckCommand& command) const {
        return run_check(command.settings, command.json, std::cout, check_published_images);
    }
    int operator()(const ProbeCommand& command) const { return run_probe(command.options, std::cout); }
    int operator()(const ImageCommand& command) const {
        const auto images = image_folder_settings(command.settings);
        const ImageOptions& options = command.options;
        switch (options.action) {
            case ImageOptions::Action::check:
                return check_images(images, options.folder, options.json, std::cout);
            case ImageOptions::Action::show:
                return show_image(images, options.folder.value(), options.json, std::cout, std::cerr);
            case ImageOptions::Action::make:
                return run_image_make(options.make, images, options.json, std::cout, std::cerr);
            case ImageOptions::Action::list:
                break;
        }
        return list_images(images, options.json, std::cout);
    }
    int operator()(const MachineCommand& command) const {
        return run_machine(command.options, machine_places(command.settings), std::cout, std::cerr);
    }
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

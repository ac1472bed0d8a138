#include "app/machine.hpp"

#include "app/control_client.hpp"
#include "store/client_registry.hpp"
#include "store/sqlite_store.hpp"
#include "support/client_stores.hpp"
#include "support/temporary_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <filesystem>
#include <sstream>

namespace pomona::app {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using tests::choice_of;
using tests::client_of;
using tests::mac_number;
using Action = MachineOptions::Action;

struct Machine : testing::Test {
    tests::TemporaryFolder folder;
    MachinePlaces places{.control_socket = folder / "control",
                         .database = folder / "clients.db",
                         .server_address = [](base::Ipv4Address) { return base::Ipv4Address(0x0a00010b); }};
    std::ostringstream out;
    std::ostringstream err;

    int run(const MachineOptions& options) {
        out.str({});
        err.str({});
        return run_machine(options, places, out, err);
    }
    static MachineOptions about(Action action, std::uint32_t machine) {
        MachineOptions options;
        options.action = action;
        options.mac = mac_number(machine);
        return options;
    }
    static MachineOptions select(std::uint32_t machine, const char* image,
                                 std::optional<std::string> model = {}) {
        MachineOptions options = about(Action::select, machine);
        options.image = image;
        options.model = std::move(model);
        return options;
    }
    void fill(const std::vector<model::Client>& clients) const {
        std::vector<store::StoreUpdate> updates;
        for (const model::Client& client : clients) updates.emplace_back(store::SaveClient{client});
        store::SqliteStore::open({.path = places.database})->save(updates);
    }
    std::vector<model::Client> stored() const {
        return store::SqliteStore::open({.path = places.database})->load();
    }
};

TEST_F(Machine, ReadingMakesNoDatabase) {
    EXPECT_EQ(run({}), 0);
    EXPECT_EQ(out.str(), "No machine is remembered yet.\n");
    EXPECT_EQ(run(about(Action::show, 1)), 1);
    EXPECT_THAT(err.str(), HasSubstr("no machine 02:00:00:00:00:01 is remembered"));
    EXPECT_EQ(run(about(Action::forget, 1)), 1);
    EXPECT_FALSE(std::filesystem::exists(places.database));
}

TEST_F(Machine, ListsTheDatabaseWhenNoDaemonRuns) {
    model::Client other = client_of(2, 12, 1'769'847'300);
    other.key.model = "Macmini6,2";
    other.chosen_by_hand = true;
    fill({client_of(1, 7, 1'769'847'300), other});
    places.images.name_of = [](base::BootImageId) { return "Grün"; };
    ASSERT_EQ(run({}), 0) << err.str();
    EXPECT_EQ(out.str(),
              "MAC                MODEL       IMAGE            MACHINE    ADDRESS   LAST SEEN (UTC)\n"
              "02:00:00:00:00:01  iMac12,1    0x81001001 Grün  NetBoot7   10.0.0.1  2026-01-31 08:15:00\n"
              "02:00:00:00:00:02  Macmini6,2  0x81001001 Grün  NetBoot12  10.0.0.2  2026-01-31 08:15:00  "
              "chosen by hand\n");
}

TEST_F(Machine, ShowsDetails) {
    model::Client client = client_of(1, 7, 1'769'847'300);
    client.last_seen = {};
    client.address = {};
    fill({client});
    ASSERT_EQ(run(about(Action::show, 1)), 0) << err.str();
    EXPECT_EQ(out.str(),
              "MAC            02:00:00:00:00:01\n"
              "model          iMac12,1\n"
              "architecture   i386\n"
              "image          0x81001001\n"
              "machine name   NetBoot7\n"
              "address        -\n"
              "first seen     2026-01-31 08:15:00 UTC\n"
              "last seen      never UTC\n"
              "last selected  2026-01-31 08:15:00 UTC\n"
              "\n"
              "To start it from here (read and reported, not tried on hardware):\n"
              "  hold Option: shows the picker with the images\n"
              "  hold N: starts the remembered image\n"
              "  note: the table of models does not know this model; it counts as one with 64-bit EFI\n"
              "  note: its image is not published, or not for this Mac: `pomona image check` says more\n"
              "In OS X on that Mac:\n"
              "  csrutil netboot add 10.0.1.11\n"
              "      before the others, in the Recovery system, from OS X 10.11 on\n"
              "  sudo bless --netboot --server bsdp://10.0.1.11\n"
              "      start from this server from now on\n"
              "  sudo bless --netboot --server bsdp://10.0.1.11 --nextonly\n"
              "      start from this server once\n");
}

TEST_F(Machine, ShowsHowToStartIt) {
    model::Client client = client_of(1, 7);
    fill({client});
    places.images.name_of = [](base::BootImageId) { return "GRUB 2 (lab)"; };
    servers::BootFacts facts{.published = true,
                             .boot_file_only = true,
                             .boot_file = "nbi/NetBootSP0/gr'ub 2.nbi/i386/booter",
                             .boot_server = {},
                             .model = model::KnownModels::built_in().find("iMac12,1")};
    places.images.boot_of = [&](const model::Client&) { return facts; };
    ASSERT_EQ(run(about(Action::show, 1)), 0) << err.str();
    EXPECT_THAT(out.str(), HasSubstr("  the picker shows \"GRUB 2 (lab)\"\n"));
    EXPECT_THAT(out.str(), testing::Not(HasSubstr("note:")));
    EXPECT_THAT(out.str(), HasSubstr("  sudo bless --netboot --booter "
                                     "'tftp://10.0.1.11/nbi/NetBootSP0/gr'\\''ub 2.nbi/i386/booter'\n"));
    facts.boot_server = base::Ipv4Address(0x0a000105);
    facts.boot_file = "nbi/a/b.nbi/i386/booter";
    facts.model = model::KnownModels::built_in().find("iMac4,1");
    places.server_address = [](base::Ipv4Address) { return std::nullopt; };
    ASSERT_EQ(run(about(Action::show, 1)), 0);
    EXPECT_THAT(out.str(), HasSubstr("--booter tftp://10.0.1.5/nbi/a/b.nbi/i386/booter\n"));
    EXPECT_THAT(out.str(), HasSubstr("bsdp://ADDRESS --nextonly\n"));
    EXPECT_THAT(out.str(), HasSubstr("note: its EFI has 32 bits"));
    facts.model = model::KnownModels::built_in().find("MacBook3,1");
    ASSERT_EQ(run(about(Action::show, 1)), 0);
    EXPECT_THAT(out.str(), HasSubstr("doubtful"));
    // Commands that cannot help are not shown.
    for (const auto& [model, words] :
         {std::pair{"Macmini8,1", "T2 chip"}, std::pair{"Mac13,1", "Apple's own processor"}}) {
        facts.model = model::KnownModels::built_in().find(model);
        ASSERT_EQ(run(about(Action::show, 1)), 0);
        EXPECT_THAT(out.str(), HasSubstr(words));
        EXPECT_THAT(out.str(), testing::Not(testing::AnyOf(HasSubstr("bless"), HasSubstr("hold"))));
    }
    facts.model = model::KnownModels::built_in().find("iMac12,1");
    facts.boot_file_only = false;
    MachineOptions options = about(Action::show, 1);
    options.json = true;
    ASSERT_EQ(run(options), 0);
    const json machine = json::parse(out.str()).at("machines")[0];
    EXPECT_EQ(machine.at("advice").at("picker"), "GRUB 2 (lab)");
    EXPECT_EQ(machine.at("advice").at("keys")[1].at("key"), "N");
    EXPECT_EQ(machine.at("advice").at("commands").size(), 3U) << "no --booter for an image with a root";
    EXPECT_EQ(machine.at("advice").at("proof"), "read and reported, not tried on hardware");
    EXPECT_EQ(machine.at("boot").at("firmware"), "x64");
}

TEST_F(Machine, SpeaksJson) {
    fill({client_of(1, 7)});
    MachineOptions options;
    options.json = true;
    ASSERT_EQ(run(options), 0);
    EXPECT_EQ(json::parse(out.str()).at("machines")[0].at("machine_name"), "NetBoot7");
}

TEST_F(Machine, HostileModelsCannotSteerTheTerminal) {
    model::Client client = client_of(1, 7);
    client.key.model = "a\x1b[2J\xc2\x9b\x07z\xff";
    fill({client});
    ASSERT_EQ(run({}), 0);
    EXPECT_THAT(out.str(), HasSubstr("a?[2J??z"));
    EXPECT_EQ(out.str().find('\x1b'), std::string::npos);
    MachineOptions options;
    options.json = true;
    EXPECT_EQ(run(options), 0);
    EXPECT_TRUE(json::accept(out.str()));
}

TEST_F(Machine, SelectsAndForgetsInTheDatabase) {
    EXPECT_EQ(run(select(1, "0x81000007")), 1);
    EXPECT_THAT(err.str(), HasSubstr("add --model"));
    ASSERT_EQ(run(select(1, "0x81000007", "iMac12,1")), 0) << err.str();
    EXPECT_EQ(out.str(), "02:00:00:00:00:01 (iMac12,1) starts 0x81000007 from now on.\n");
    ASSERT_EQ(stored().size(), 1U);
    EXPECT_EQ(stored()[0].image, base::BootImageId(0x81000007));
    EXPECT_TRUE(stored()[0].chosen_by_hand);
    ASSERT_EQ(run(about(Action::forget, 1)), 0) << err.str();
    EXPECT_EQ(out.str(), "02:00:00:00:00:01 is forgotten (1 record).\n");
    EXPECT_TRUE(stored().empty());
}

TEST_F(Machine, ADamagedDatabaseIsLeftForTheDaemon) {
    folder.write("clients.db", std::string(5'000, 'x'));
    EXPECT_EQ(run({}), 1);
    EXPECT_THAT(err.str(), HasSubstr("a damaged file is replaced when the daemon starts"));
    EXPECT_EQ(std::filesystem::file_size(places.database), 5'000U);
    EXPECT_EQ(err.str().find('\n'), err.str().size() - 1) << "one line";
}

struct MachineWithDaemon : Machine {
    store::ClientRegistry registry{std::make_unique<tests::EmptyStore>(), {}};
    std::unique_ptr<servers::ControlServer> daemon;

    MachineWithDaemon() {
        servers::ControlServer::Options options;
        options.path = places.control_socket;
        daemon = servers::ControlServer::start(options, servers::machine_verbs(registry, {})).value();
    }
};

TEST_F(MachineWithDaemon, EverythingGoesThroughIt) {
    ASSERT_EQ(run(select(1, "0x81000007", "iMac12,1")), 0) << err.str();
    EXPECT_EQ(registry.find(choice_of(1).key)->image, base::BootImageId(0x81000007));
    ASSERT_EQ(run({}), 0);
    EXPECT_THAT(out.str(), HasSubstr("02:00:00:00:00:01  iMac12,1  0x81000007"));
    ASSERT_EQ(run(about(Action::show, 1)), 0);
    EXPECT_THAT(out.str(), HasSubstr("image          0x81000007 (chosen by hand)"));
    ASSERT_EQ(run(about(Action::forget, 1)), 0);
    EXPECT_EQ(registry.size(), 0U);
    EXPECT_EQ(run(about(Action::show, 1)), 1);
    EXPECT_THAT(err.str(), HasSubstr("no machine 02:00:00:00:00:01 is remembered"));
    EXPECT_FALSE(std::filesystem::exists(places.database));
}

TEST_F(MachineWithDaemon, ListsTwentyThousand) {
    for (std::uint32_t n = 0; n < 20'000; ++n) registry.apply(choice_of(n));
    MachineOptions options;
    options.json = true;
    ASSERT_EQ(run(options), 0) << err.str();
    EXPECT_EQ(json::parse(out.str()).at("machines").size(), 20'000U);
}

TEST_F(MachineWithDaemon, ADeadDaemonsSocketMeansNoDaemon) {
    // The file stays, nobody listens.
    std::filesystem::rename(places.control_socket, folder / "kept");
    daemon.reset();
    std::filesystem::rename(folder / "kept", places.control_socket);
    EXPECT_EQ(run({}), 0) << err.str();
    EXPECT_EQ(out.str(), "No machine is remembered yet.\n");
}

TEST(ControlClient, ReportsADaemonThatHangsUpOrIsSomethingElse) {
    const tests::TemporaryFolder folder;
    servers::ControlServer::Options options;
    options.path = folder / "control";
    options.longest_line = 100;
    const auto server = servers::ControlServer::start(options, {}).value();
    auto client = ControlClient::connect(options.path);
    ASSERT_TRUE(client && *client);
    EXPECT_THAT((*client)->ask({{"do", "nothing"}}).error().what, HasSubstr("does not know what to do"));
    EXPECT_THAT((*client)->ask({{"do", std::string(200, 'x')}}).error().what,
                HasSubstr("longer than 100 octets"));
    EXPECT_THAT((*client)->ask({{"do", "status"}}).error().what, HasSubstr("hung up"));
}

TEST(ControlClient, DoesNotWaitForever) {
    const tests::TemporaryFolder folder;
    servers::ControlServer::Options options;
    options.path = folder / "control";
    const auto server = servers::ControlServer::start(
                            options, {{"sleep",
                                       [](const json&) -> base::Result<json> {
                                           std::this_thread::sleep_for(std::chrono::milliseconds(200));
                                           return 1;
                                       }}})
                            .value();
    auto client = ControlClient::connect(options.path, std::chrono::milliseconds(20));
    ASSERT_TRUE(client && *client);
    EXPECT_THAT((*client)->ask({{"do", "sleep"}}).error().what, HasSubstr("does not answer"));
}

}  // namespace
}  // namespace pomona::app

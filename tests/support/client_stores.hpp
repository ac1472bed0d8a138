// Three stores for tests: one with fixed contents, one that is always empty, one that is broken. And makers
// of clients and choices.
#pragma once

#include "store/client_store.hpp"

#include <pomona/base/shared_state.hpp>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace pomona::tests {

inline model::TimePoint at_second(std::int64_t seconds) {
    return model::TimePoint(std::chrono::seconds(seconds));
}

/// 02:00:00:xx:xx:xx
inline base::MacAddress mac_number(std::uint32_t n) {
    return base::MacAddress({2, 0, static_cast<std::uint8_t>(n >> 24), static_cast<std::uint8_t>(n >> 16),
                             static_cast<std::uint8_t>(n >> 8), static_cast<std::uint8_t>(n)});
}

inline model::RememberChoice choice_of(std::uint32_t n, std::int64_t when = 1'000,
                                       std::uint32_t image = 0x81001001,
                                       const std::string& model = "iMac12,1") {
    return {.key = {mac_number(n), model},
            .architecture = "i386",
            .image = base::BootImageId(image),
            .address = base::Ipv4Address(0x0a000000U + n),
            .when = at_second(when),
            .by_hand = false};
}

inline model::Client client_of(std::uint32_t n, std::uint32_t number, std::int64_t when = 1'000) {
    return {.key = {mac_number(n), "iMac12,1"},
            .architecture = "i386",
            .image = base::BootImageId(0x81001001),
            .address = base::Ipv4Address(0x0a000000U + n),
            .machine_name = "NetBoot" + std::to_string(number),
            .number = number,
            .first_seen = at_second(when),
            .last_seen = at_second(when),
            .last_selected = at_second(when),
            .chosen_by_hand = false};
}

/// Loads always the same and takes every change without keeping it.
class FixedStore final : public store::ClientStore {
  public:
    explicit FixedStore(std::vector<model::Client> clients) : clients_(std::move(clients)) {}
    std::vector<model::Client> load() override { return clients_; }
    void save(std::span<const store::StoreUpdate>) override {}

  private:
    std::vector<model::Client> clients_;
};

/// Knows nobody, ever.
class EmptyStore final : public store::ClientStore {
  public:
    std::vector<model::Client> load() override { return {}; }
    void save(std::span<const store::StoreUpdate>) override {}
};

/// What a test sees and steers of a BrokenStore that a registry owns.
struct BrokenStoreState {
    std::atomic<bool> load_fails = false;
    std::atomic<bool> save_fails = true;
    std::atomic<int> tries = 0;
    base::Guarded<std::vector<std::vector<store::StoreUpdate>>> saved;

    /// While held, save() hangs as a slow disk does.
    void hold() {
        const std::scoped_lock lock(mutex);
        held = true;
    }
    void release() {
        const std::scoped_lock lock(mutex);
        held = false;
        changed.notify_all();
    }
    /// Waits until a save hangs.
    void wait_until_hanging() {
        std::unique_lock lock(mutex);
        changed.wait(lock, [&] { return hanging; });
    }
    void maybe_hang() {
        std::unique_lock lock(mutex);
        hanging = held;
        changed.notify_all();
        changed.wait(lock, [&] { return !held; });
        hanging = false;
    }

    std::mutex mutex;
    std::condition_variable changed;
    bool held = false;
    bool hanging = false;
};

/// Fails, hangs or records, as its state says.
class BrokenStore final : public store::ClientStore {
  public:
    explicit BrokenStore(std::shared_ptr<BrokenStoreState> state) : state_(std::move(state)) {}
    std::vector<model::Client> load() override {
        if (state_->load_fails) throw store::StoreError("the disk is on fire");
        return {};
    }
    void save(std::span<const store::StoreUpdate> updates) override {
        ++state_->tries;
        state_->maybe_hang();
        if (state_->save_fails) throw store::StoreError("the disk is full");
        state_->saved.with([&](auto& saved) { saved.emplace_back(updates.begin(), updates.end()); });
    }

  private:
    std::shared_ptr<BrokenStoreState> state_;
};

}  // namespace pomona::tests

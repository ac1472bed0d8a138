#include "store/client_registry.hpp"

#include "store/client_table.hpp"

#include <pthread.h>

#include <cassert>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>

namespace pomona::store {

using Clock = std::chrono::steady_clock;

struct ClientRegistry::State {
    State(std::unique_ptr<ClientStore> to, Options with, StoreTrouble tell)
        : options(std::move(with)),
          store(std::move(to)),
          trouble(std::move(tell)),
          table(options.max_clients, options.machine_name_prefix) {}

    struct Waiting {
        Done done;
        bool refused = false;
    };

    void run();
    void wait_for_work(std::unique_lock<std::mutex>& lock);
    [[nodiscard]] std::string try_save(const ClientTable::Batch& batch) const;
    /// The lock is held; wakes the thread if it sleeps longer than until `when`.
    void want_saved(Clock::time_point when);

    const Options options;
    const std::unique_ptr<ClientStore> store;
    const StoreTrouble trouble;

    mutable std::mutex mutex;
    std::condition_variable wake;
    std::condition_variable settled;
    // All below is guarded by the mutex.
    ClientTable table;
    std::vector<Waiting> waiting;
    /// When what is unsaved has to be saved.
    std::optional<Clock::time_point> due;
    /// Set while the store fails: when to try again, and how long to wait after that.
    std::optional<Clock::time_point> retry_at;
    Clock::duration backoff{};
    std::optional<Clock::time_point> tidy_at;
    std::size_t saved_since_tidy = 0;
    std::uint64_t applied_count = 0;
    std::uint64_t settled_count = 0;
    bool flush_wanted = false;
    bool stopping = false;
    std::thread thread;
};

void ClientRegistry::State::want_saved(Clock::time_point when) {
    if (!store || !table.has_unsaved() || (due && *due <= when)) return;
    due = when;
    wake.notify_one();
}

void ClientRegistry::State::wait_for_work(std::unique_lock<std::mutex>& lock) {
    for (;;) {
        if (stopping || flush_wanted || !waiting.empty()) return;
        // While the store fails only the next try counts; what is due has to wait for it.
        std::optional<Clock::time_point> next = retry_at ? retry_at : due;
        if (tidy_at && (!next || *tidy_at < *next)) next = tidy_at;
        if (next && *next <= Clock::now()) return;
        if (next) {
            wake.wait_until(lock, *next);
        } else {
            wake.wait(lock);
        }
    }
}

std::string ClientRegistry::State::try_save(const ClientTable::Batch& batch) const {
    try {
        store->save(batch.updates);
        return {};
    } catch (const std::exception& error) {
        return *error.what() == '\0' ? "the store failed" : error.what();
    }
}

void ClientRegistry::State::run() {
    pthread_setname_np(pthread_self(), "clients");
    std::unique_lock lock(mutex);
    for (bool last = false; !last;) {
        wait_for_work(lock);
        last = stopping;
        const Clock::time_point now = Clock::now();
        const bool forced = std::exchange(flush_wanted, false) || stopping;
        // What was due may have been forgotten again.
        if (!table.has_unsaved()) due.reset();
        const std::uint64_t settled_now = applied_count;
        std::vector<Waiting> answers = std::exchange(waiting, {});
        const bool was_failing = retry_at.has_value();
        const bool may_try = store && (forced || !was_failing || now >= *retry_at);
        bool tidy = false;
        bool saved = false;
        std::string failure;
        // Everything unsaved goes with the first thing that is due: that is the group commit.
        bool everything_tried = !store || !table.has_unsaved();
        const bool something_due = forced || !answers.empty() || (due && now >= *due) || was_failing;
        if (may_try && something_due && (table.has_unsaved() || was_failing)) {
            due.reset();
            everything_tried = true;
            const ClientTable::Batch batch = table.take_unsaved();
            lock.unlock();
            failure = try_save(batch);
            lock.lock();
            saved = failure.empty();
            if (saved) {
                retry_at.reset();
                saved_since_tidy += batch.updates.size();
                if (saved_since_tidy >= options.tidy_after) tidy_at = Clock::now() + options.tidy_delay;
            } else {
                table.give_back(batch);
                backoff = was_failing ? std::min<Clock::duration>(backoff * 2, options.longest_retry)
                                      : Clock::duration(options.first_retry);
                retry_at = Clock::now() + backoff;
            }
        } else if (tidy_at && now >= *tidy_at) {
            tidy = store != nullptr;
            tidy_at.reset();
            saved_since_tidy = 0;
        }
        const bool durable = store && !retry_at;
        lock.unlock();
        if (trouble && saved && was_failing) trouble({});
        if (trouble && !failure.empty() && !was_failing) trouble(failure);
        for (const Waiting& answer : answers) answer.done(durable && !answer.refused);
        answers.clear();
        if (tidy) store->tidy();
        lock.lock();
        if (everything_tried) settled_count = settled_now;
        settled.notify_all();
    }
}

ClientRegistry::ClientRegistry(std::unique_ptr<ClientStore> store, Options options, StoreTrouble trouble)
    : state_(std::make_unique<State>(std::move(store), std::move(options), std::move(trouble))) {
    if (state_->store) state_->table.load(state_->store->load());
    {
        const std::scoped_lock lock(state_->mutex);
        state_->want_saved(Clock::now());
    }
    state_->thread = std::thread([state = state_.get()] { state->run(); });
}

ClientRegistry::~ClientRegistry() {
    {
        const std::scoped_lock lock(state_->mutex);
        state_->stopping = true;
        state_->wake.notify_one();
    }
    state_->thread.join();
}

std::optional<model::Client> ClientRegistry::find(const model::ClientKey& key) const {
    const std::scoped_lock lock(state_->mutex);
    const model::Client* client = state_->table.find(key);
    return client == nullptr ? std::nullopt : std::optional(*client);
}

std::vector<model::Client> ClientRegistry::find(base::MacAddress mac) const {
    const std::scoped_lock lock(state_->mutex);
    return state_->table.find(mac);
}

std::vector<model::Client> ClientRegistry::list() const {
    const std::scoped_lock lock(state_->mutex);
    return state_->table.list();
}

std::size_t ClientRegistry::size() const {
    const std::scoped_lock lock(state_->mutex);
    return state_->table.size();
}

std::optional<model::Client> ClientRegistry::apply(const model::ClientChange& change, Done done) {
    State& state = *state_;
    const bool may_wait = std::holds_alternative<model::NoteAddress>(change);
    const std::scoped_lock lock(state.mutex);
    ClientTable::Outcome outcome = state.table.apply(change);
    ++state.applied_count;
    if (done && state.waiting.size() < state.options.max_waiting) {
        state.waiting.push_back({std::move(done), outcome.refused});
        if (state.waiting.size() == 1) state.wake.notify_one();
    }
    state.want_saved(Clock::now() +
                     (may_wait ? Clock::duration(state.options.note_delay) : Clock::duration()));
    return std::move(outcome.client);
}

std::size_t ClientRegistry::expire(model::TimePoint now, std::chrono::seconds age) {
    const std::scoped_lock lock(state_->mutex);
    const std::size_t gone = state_->table.expire(now - age);
    ++state_->applied_count;
    state_->want_saved(Clock::now());
    return gone;
}

void ClientRegistry::flush() {
    std::unique_lock lock(state_->mutex);
    assert(std::this_thread::get_id() != state_->thread.get_id());
    const std::uint64_t wanted = state_->applied_count;
    while (state_->settled_count < wanted) {
        state_->flush_wanted = true;
        state_->wake.notify_one();
        state_->settled.wait(lock);
    }
}

}  // namespace pomona::store

#include "store/client_table.hpp"

#include <algorithm>

namespace pomona::store {

namespace {

model::ClientKey cut_off(model::ClientKey key) {
    if (key.model.size() > ClientTable::longest_model) key.model.resize(ClientTable::longest_model);
    return key;
}

model::TimePoint last_sign_of_life(const model::Client& client) {
    return std::max(client.last_seen, client.last_selected);
}

std::string machine_name(const std::string& prefix, std::uint32_t number) {
    const std::string digits = std::to_string(number);
    return prefix + std::string(digits.size() < 3 ? 3 - digits.size() : 0, '0') + digits;
}

}  // namespace

ClientTable::ClientTable(std::size_t max_clients, std::string machine_name_prefix)
    : max_clients_(std::max<std::size_t>(max_clients, 1)),
      machine_name_prefix_(std::move(machine_name_prefix)) {}

void ClientTable::load(std::vector<model::Client> clients) {
    std::vector<Records::iterator> without_number;
    for (model::Client& client : clients) {
        const model::ClientKey key = client.key;
        const auto [at, added] = records_.try_emplace(key, Record{std::move(client), true});
        if (!added) continue;
        const std::uint32_t number = at->second.client.number;
        if (number == 0 || !numbers_.insert(number).second) {
            without_number.push_back(at);
            continue;
        }
        enter_age(at);
    }
    // Above all stored numbers, so that a name given before the restart is not given again soon.
    next_number_ = numbers_.empty() ? 1 : *numbers_.rbegin() + 1;
    for (const Records::iterator at : without_number) {
        give_number(at->second.client);
        enter_age(at);
        unsaved_.insert(at->first);
    }
    while (records_.size() > max_clients_ && make_room()) {
    }
}

const model::Client* ClientTable::find(const model::ClientKey& key) const {
    const auto at = key.model.size() > longest_model ? records_.find(cut_off(key)) : records_.find(key);
    return at == records_.end() ? nullptr : &at->second.client;
}

std::vector<model::Client> ClientTable::find(base::MacAddress mac) const {
    std::vector<model::Client> found;
    for (auto at = records_.lower_bound({mac, {}}); at != records_.end() && at->first.mac == mac; ++at) {
        found.push_back(at->second.client);
    }
    return found;
}

std::vector<model::Client> ClientTable::list() const {
    std::vector<model::Client> all;
    all.reserve(records_.size());
    for (const auto& [key, record] : records_) all.push_back(record.client);
    return all;
}

ClientTable::Outcome ClientTable::apply(const model::ClientChange& change) {
    if (const auto* choice = std::get_if<model::RememberChoice>(&change)) return remember(*choice);
    if (const auto* forgotten = std::get_if<model::ForgetClient>(&change)) return forget(*forgotten);
    return note(std::get<model::NoteAddress>(change));
}

ClientTable::Outcome ClientTable::remember(const model::RememberChoice& choice) {
    const model::ClientKey key = cut_off(choice.key);
    auto at = records_.find(key);
    if (at == records_.end()) {
        if (records_.size() >= max_clients_ && !make_room()) return {.client = std::nullopt, .refused = true};
        Record record;
        record.client.key = key;
        record.client.first_seen = choice.when;
        record.client.last_seen = choice.when;
        record.client.chosen_by_hand = choice.by_hand;
        give_number(record.client);
        at = records_.emplace(key, std::move(record)).first;
    } else {
        leave_age(at);
        model::Client& client = at->second.client;
        // A Mac repeats at every boot what was chosen for it; only another choice of its own replaces ours.
        client.chosen_by_hand = choice.by_hand || (client.chosen_by_hand && client.image == choice.image);
        // An administrator's choice is no sign of life of the machine.
        if (!choice.by_hand) client.last_seen = std::max(client.last_seen, choice.when);
    }
    model::Client& client = at->second.client;
    client.image = choice.image;
    client.last_selected = std::max(client.last_selected, choice.when);
    if (!choice.architecture.empty()) client.architecture = choice.architecture.substr(0, longest_model);
    if (!choice.address.is_zero()) client.address = choice.address;
    enter_age(at);
    unsaved_.insert(key);
    return {.client = client};
}

ClientTable::Outcome ClientTable::forget(const model::ForgetClient& change) {
    if (change.model) {
        const auto at = records_.find(cut_off({change.mac, *change.model}));
        if (at != records_.end()) erase(at);
        return {};
    }
    auto at = records_.lower_bound({change.mac, {}});
    while (at != records_.end() && at->first.mac == change.mac) erase(at++);
    return {};
}

ClientTable::Outcome ClientTable::note(const model::NoteAddress& change) {
    const auto at = records_.find(cut_off(change.key));
    if (at == records_.end()) return {};
    leave_age(at);
    model::Client& client = at->second.client;
    if (!change.address.is_zero()) client.address = change.address;
    client.last_seen = std::max(client.last_seen, change.when);
    enter_age(at);
    unsaved_.insert(at->first);
    return {.client = client};
}

std::size_t ClientTable::expire(model::TimePoint before) {
    std::size_t gone = 0;
    while (!by_age_.empty() && by_age_.begin()->first.first < before) {
        erase(by_age_.begin()->second);
        ++gone;
    }
    return gone;
}

ClientTable::Batch ClientTable::take_unsaved() {
    Batch batch;
    batch.updates.reserve(unsaved_.size());
    for (const model::ClientKey& key : unsaved_) {
        const auto at = records_.find(key);
        if (at == records_.end()) {
            batch.updates.emplace_back(DeleteClient{key});
            continue;
        }
        if (!at->second.stored) batch.first_saves.push_back(key);
        at->second.stored = true;
        batch.updates.emplace_back(SaveClient{at->second.client});
    }
    unsaved_.clear();
    return batch;
}

void ClientTable::give_back(const Batch& batch) {
    for (const StoreUpdate& update : batch.updates) {
        if (const auto* deleted = std::get_if<DeleteClient>(&update)) unsaved_.insert(deleted->key);
    }
    for (const model::ClientKey& key : batch.first_saves) {
        const auto at = records_.find(key);
        if (at != records_.end()) {
            at->second.stored = false;
        } else {
            // It came and went while the store failed: there is nothing to delete.
            unsaved_.erase(key);
        }
    }
    for (const auto& [key, record] : records_) unsaved_.insert(unsaved_.end(), key);
}

void ClientTable::erase(Records::iterator at) {
    leave_age(at);
    numbers_.erase(at->second.client.number);
    // What the store never had need not be deleted there; so a flood of strangers leaves nothing behind.
    if (at->second.stored) {
        unsaved_.insert(at->first);
    } else {
        unsaved_.erase(at->first);
    }
    records_.erase(at);
}

bool ClientTable::make_room() {
    if (by_age_.empty()) return false;
    erase(by_age_.begin()->second);
    return true;
}

void ClientTable::give_number(model::Client& client) {
    // After four thousand million strangers the numbers begin again, past those in use.
    while (next_number_ == 0 || numbers_.contains(next_number_)) ++next_number_;
    client.number = next_number_++;
    numbers_.insert(client.number);
    client.machine_name = machine_name(machine_name_prefix_, client.number);
}

void ClientTable::enter_age(Records::iterator at) {
    const model::Client& client = at->second.client;
    if (!client.chosen_by_hand) by_age_.emplace(Age{last_sign_of_life(client), client.number}, at);
}

void ClientTable::leave_age(Records::iterator at) {
    const model::Client& client = at->second.client;
    by_age_.erase(Age{last_sign_of_life(client), client.number});
}

}  // namespace pomona::store

#include "store/client_table.hpp"

#include "support/client_stores.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace pomona::store {
namespace {

using tests::at_second;
using tests::choice_of;
using tests::client_of;
using tests::mac_number;

model::RememberChoice by_hand(model::RememberChoice choice) {
    choice.by_hand = true;
    return choice;
}

TEST(ClientTable, GivesNumbersAndNamesOnce) {
    ClientTable table(10, "NetBoot");
    EXPECT_EQ(table.apply(choice_of(1)).client->machine_name, "NetBoot001");
    EXPECT_EQ(table.apply(choice_of(2)).client->number, 2U);
    EXPECT_EQ(table.apply(choice_of(1)).client->machine_name, "NetBoot001");
    table.apply(model::ForgetClient{mac_number(2), std::nullopt});
    EXPECT_EQ(table.apply(choice_of(2)).client->machine_name, "NetBoot003");
}

TEST(ClientTable, NamesGrowPastThreeDigits) {
    ClientTable table(10, "Lab");
    table.load({client_of(1, 999)});
    EXPECT_EQ(table.apply(choice_of(2)).client->machine_name, "Lab1000");
}

TEST(ClientTable, NumbersDoNotCollideWithStoredOnes) {
    ClientTable table(10, "NetBoot");
    table.load({client_of(1, 7), client_of(2, 3)});
    EXPECT_EQ(table.apply(choice_of(3)).client->number, 8U);
    EXPECT_FALSE(table.find({mac_number(9), "iMac12,1"}));
}

TEST(ClientTable, NumbersBeginAgainAfterTheLastOne) {
    ClientTable table(10, "NetBoot");
    table.load({client_of(1, 0xffffffff), client_of(2, 1)});
    EXPECT_EQ(table.apply(choice_of(3)).client->number, 2U);
}

TEST(ClientTable, DoubleNumbersAreGivenAnew) {
    ClientTable table(10, "NetBoot");
    table.load({client_of(1, 7), client_of(2, 7), client_of(3, 0)});
    std::set<std::uint32_t> numbers;
    for (const model::Client& client : table.list()) numbers.insert(client.number);
    EXPECT_EQ(numbers, (std::set<std::uint32_t>{7, 8, 9}));
    EXPECT_EQ(table.take_unsaved().updates.size(), 2U);
}

TEST(ClientTable, OneRecordPerMacAndModel) {
    ClientTable table(10, "NetBoot");
    table.apply(choice_of(1, 1, 0x81001001, "iMac12,1"));
    table.apply(choice_of(1, 2, 0x81001002, "Macmini6,2"));
    EXPECT_EQ(table.find({mac_number(1), "iMac12,1"})->image, base::BootImageId(0x81001001));
    EXPECT_EQ(table.find({mac_number(1), "Macmini6,2"})->image, base::BootImageId(0x81001002));
    EXPECT_EQ(table.find(mac_number(1)).size(), 2U);
    table.apply(model::ForgetClient{mac_number(1), "iMac12,1"});
    EXPECT_EQ(table.find(mac_number(1)).size(), 1U);
    table.apply(choice_of(1));
    table.apply(choice_of(2));
    table.apply(model::ForgetClient{mac_number(1), std::nullopt});
    EXPECT_TRUE(table.find(mac_number(1)).empty());
    EXPECT_EQ(table.size(), 1U);
}

TEST(ClientTable, AChoiceUpdatesTheRecord) {
    ClientTable table(10, "NetBoot");
    table.apply(choice_of(1, 100));
    model::RememberChoice again = choice_of(1, 200, 0x01000002);
    again.address = base::Ipv4Address(10, 9, 9, 9);
    const model::Client client = *table.apply(again).client;
    EXPECT_EQ(client.image, base::BootImageId(0x01000002));
    EXPECT_EQ(client.address, base::Ipv4Address(10, 9, 9, 9));
    EXPECT_EQ(client.first_seen, at_second(100));
    EXPECT_EQ(client.last_seen, at_second(200));
    EXPECT_EQ(client.last_selected, at_second(200));
    EXPECT_EQ(*table.find(again.key), client);
}

TEST(ClientTable, ANoteCreatesNothing) {
    ClientTable table(10, "NetBoot");
    const model::NoteAddress note{
        {mac_number(1), "iMac12,1"}, base::Ipv4Address(10, 0, 0, 99), at_second(500)};
    EXPECT_EQ(table.apply(note).client, std::nullopt);
    EXPECT_EQ(table.size(), 0U);
    EXPECT_FALSE(table.has_unsaved());
    table.apply(choice_of(1, 100));
    const model::Client client = *table.apply(note).client;
    EXPECT_EQ(client.address, base::Ipv4Address(10, 0, 0, 99));
    EXPECT_EQ(client.last_seen, at_second(500));
    EXPECT_EQ(client.last_selected, at_second(100));
}

TEST(ClientTable, ChoicesByHandStayMarkedWhileTheMacRepeatsThem) {
    ClientTable table(10, "NetBoot");
    model::RememberChoice hand = by_hand(choice_of(1, 100));
    hand.architecture.clear();
    hand.address = {};
    table.apply(choice_of(1, 50, 0x81001009));
    const model::Client chosen = *table.apply(hand).client;
    EXPECT_TRUE(chosen.chosen_by_hand);
    EXPECT_EQ(chosen.last_seen, at_second(50)) << "a choice by hand is no sign of life";
    EXPECT_EQ(chosen.architecture, "i386");
    EXPECT_FALSE(chosen.address.is_zero());
    EXPECT_TRUE(table.apply(choice_of(1, 200)).client->chosen_by_hand);
    EXPECT_FALSE(table.apply(choice_of(1, 300, 0x81001002)).client->chosen_by_hand);
}

TEST(ClientTable, TheLongestUnseenMakesRoom) {
    ClientTable table(3, "NetBoot");
    table.apply(choice_of(1, 100));
    table.apply(choice_of(2, 200));
    table.apply(choice_of(3, 300));
    table.apply(model::NoteAddress{choice_of(1).key, base::Ipv4Address(10, 0, 0, 1), at_second(400)});
    EXPECT_TRUE(table.apply(choice_of(4, 500)).client);
    EXPECT_EQ(table.size(), 3U);
    EXPECT_FALSE(table.find(choice_of(2).key)) << "seen longest ago";
    EXPECT_TRUE(table.find(choice_of(1).key));
}

TEST(ClientTable, ChoicesByHandAreNeverPushedOut) {
    ClientTable table(2, "NetBoot");
    table.apply(by_hand(choice_of(1, 100)));
    table.apply(choice_of(2, 200));
    table.apply(choice_of(3, 300));
    EXPECT_TRUE(table.find(choice_of(1).key));
    EXPECT_FALSE(table.find(choice_of(2).key));
    table.apply(by_hand(choice_of(3, 400)));
    const ClientTable::Outcome refused = table.apply(choice_of(4, 500));
    EXPECT_TRUE(refused.refused);
    EXPECT_EQ(refused.client, std::nullopt);
    EXPECT_EQ(table.size(), 2U);
    EXPECT_FALSE(table.apply(choice_of(1, 600)).refused) << "a known one may still choose";
}

TEST(ClientTable, StoredRecordsAboveTheBoundGo) {
    ClientTable table(2, "NetBoot");
    model::Client kept = client_of(4, 4, 1);
    kept.chosen_by_hand = true;
    table.load({client_of(1, 1, 100), client_of(2, 2, 300), client_of(3, 3, 200), kept});
    EXPECT_EQ(table.size(), 2U);
    EXPECT_TRUE(table.find(kept.key));
    EXPECT_TRUE(table.find(client_of(2, 2).key));
    EXPECT_EQ(table.take_unsaved().updates.size(), 2U) << "they are deleted in the store too";
}

TEST(ClientTable, ExpiresWhatWasNotSeen) {
    ClientTable table(10, "NetBoot");
    table.apply(choice_of(1, 100));
    table.apply(choice_of(2, 200));
    table.apply(by_hand(choice_of(3, 100)));
    EXPECT_EQ(table.expire(at_second(200)), 1U);
    EXPECT_FALSE(table.find(choice_of(1).key));
    EXPECT_TRUE(table.find(choice_of(2).key));
    EXPECT_TRUE(table.find(choice_of(3).key)) << "chosen by hand";
}

TEST(ClientTable, CutsOffLongModels) {
    ClientTable table(10, "NetBoot");
    const std::string longer(300, 'x');
    table.apply(choice_of(1, 1, 0x81001001, longer));
    const model::Client* client = table.find({mac_number(1), longer});
    ASSERT_TRUE(client);
    EXPECT_EQ(client->key.model, std::string(64, 'x'));
    table.apply(model::NoteAddress{{mac_number(1), longer}, base::Ipv4Address(1, 2, 3, 4), at_second(9)});
    EXPECT_EQ(table.find({mac_number(1), longer})->last_seen, at_second(9));
    table.apply(model::ForgetClient{mac_number(1), longer});
    EXPECT_EQ(table.size(), 0U);
}

TEST(ClientTable, OneUnsavedRowPerClient) {
    ClientTable table(10, "NetBoot");
    for (int i = 0; i < 100; ++i) table.apply(choice_of(1, i, 0x81001000U + static_cast<std::uint32_t>(i)));
    const ClientTable::Batch batch = table.take_unsaved();
    ASSERT_EQ(batch.updates.size(), 1U);
    EXPECT_EQ(std::get<SaveClient>(batch.updates[0]).client.image, base::BootImageId(0x81001063));
    EXPECT_FALSE(table.has_unsaved());
}

TEST(ClientTable, AFloodOfStrangersLeavesNoRowsToWrite) {
    ClientTable table(10, "NetBoot");
    for (std::uint32_t n = 0; n < 10'000; ++n) table.apply(choice_of(n, n));
    EXPECT_EQ(table.take_unsaved().updates.size(), 10U);
    for (std::uint32_t n = 0; n < 10'000; ++n) table.apply(choice_of(n + 20'000, n + 20'000));
    const ClientTable::Batch batch = table.take_unsaved();
    EXPECT_EQ(batch.updates.size(), 20U) << "ten to delete, ten to write";
}

TEST(ClientTable, AFloodWhileTheStoreFailsStaysBounded) {
    ClientTable table(10, "NetBoot");
    for (std::uint32_t round = 0; round < 100; ++round) {
        for (std::uint32_t n = 0; n < 20; ++n) table.apply(choice_of(round * 20 + n, round * 20 + n));
        const ClientTable::Batch batch = table.take_unsaved();
        // The next strangers come while the store still tries.
        for (std::uint32_t n = 0; n < 5; ++n)
            table.apply(choice_of(100'000 + round * 5 + n, round * 20 + 19));
        table.give_back(batch);
    }
    EXPECT_LE(table.take_unsaved().updates.size(), 20U);
}

TEST(ClientTable, AFailedBatchMakesEverythingUnsaved) {
    ClientTable table(10, "NetBoot");
    table.load({client_of(1, 1), client_of(2, 2)});
    table.apply(choice_of(3));
    table.apply(model::ForgetClient{mac_number(2), std::nullopt});
    const ClientTable::Batch batch = table.take_unsaved();
    EXPECT_EQ(batch.updates.size(), 2U);
    table.give_back(batch);
    const ClientTable::Batch all = table.take_unsaved();
    EXPECT_EQ(all.updates.size(), 3U) << "1 and 3 to write, 2 to delete";
}

}  // namespace
}  // namespace pomona::store

#include "store/folder_lock.hpp"

#include "support/temporary_folder.hpp"

#include <gtest/gtest.h>

#include <chrono>

namespace pomona::store {
namespace {

using Kind = FolderLock::Kind;

TEST(FolderLock, OneAloneOrSeveralThatShare) {
    const tests::TemporaryFolder folder;
    {
        const auto alone = FolderLock::take(folder.path(), Kind::alone);
        ASSERT_TRUE(alone);
        EXPECT_FALSE(FolderLock::take(folder.path(), Kind::alone));
        EXPECT_FALSE(FolderLock::take(folder.path(), Kind::shared));
    }
    const auto one = FolderLock::take(folder.path(), Kind::shared);
    const auto other = FolderLock::take(folder.path(), Kind::shared);
    EXPECT_TRUE(one && other);
    const auto start = std::chrono::steady_clock::now();
    EXPECT_FALSE(FolderLock::take(folder.path(), Kind::alone, std::chrono::milliseconds(100)));
    EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(100));
}

TEST(FolderLock, WhatCannotBeLockedIsNobodys) {
    const tests::TemporaryFolder folder;
    EXPECT_TRUE(FolderLock::take(folder / "missing", Kind::alone));
}

}  // namespace
}  // namespace pomona::store

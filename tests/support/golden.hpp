// Compares a text with the one kept in tests/data/golden/.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace pomona::tests {

/// `name` is the path below tests/data/golden/. With POMONA_WRITE_GOLDEN=1 in the environment the file is
/// written instead (and the test fails, so that nobody leaves the variable set); look at what `git diff` says
/// then.
testing::AssertionResult matches_golden(const std::string& name, std::string_view text);

}  // namespace pomona::tests

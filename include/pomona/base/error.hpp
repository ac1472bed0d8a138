// Error: what went wrong, where, and what to do about it. Result<T>: a value or such an error.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace pomona::base {

/// A failure caused from outside (a packet, a file, a setting), told to a person in three parts.
struct Error {
    std::string what;    ///< what is wrong: "Index 70000 is out of range"
    std::string where;   ///< file, key, setting or offset that it was found at; may be empty
    std::string remedy;  ///< what to do: "use a number from 1 to 65535"; may be empty

    /// "where: what; remedy" with the empty parts left out.
    [[nodiscard]] std::string text() const;

    friend bool operator==(const Error&, const Error&) = default;
};

template <typename T>
using Result = std::expected<T, Error>;

/// Shorthand for `return fail("what", "where", "remedy");` in a function that returns a Result.
[[nodiscard]] inline std::unexpected<Error> fail(std::string what, std::string where = {},
                                                 std::string remedy = {}) {
    return std::unexpected(Error{std::move(what), std::move(where), std::move(remedy)});
}

}  // namespace pomona::base

// Netascii (RFC 764 as used by RFC 1350): a text of this host as it goes over the wire, in pieces of any
// size.
#pragma once

#include <pomona/base/bytes.hpp>

#include <cstddef>
#include <cstdint>

namespace pomona::codec {

/// LF becomes CR LF, CR becomes CR NUL, everything else stays. The encoder is a small value: a copy of it
/// together with the position in the text is a checkpoint to go back to.
class NetasciiEncoder {
  public:
    struct Progress {
        std::size_t consumed = 0;  ///< octets taken from the text
        std::size_t produced = 0;  ///< octets put into the output
    };

    /// Fills `out` from `in` until either is used up. The second octet of a pair that did not fit any more is
    /// kept for the next call, which may then be made with an empty `in`.
    Progress encode(base::Bytes in, base::MutableBytes out) {
        Progress done;
        while (done.produced < out.size()) {
            if (has_second_) {
                out[done.produced++] = second_;
                has_second_ = false;
            } else if (done.consumed < in.size()) {
                const std::uint8_t octet = in[done.consumed++];
                has_second_ = octet == '\n' || octet == '\r';
                second_ = octet == '\n' ? '\n' : '\0';
                out[done.produced++] = octet == '\n' ? '\r' : octet;
            } else {
                break;
            }
        }
        return done;
    }

    /// True while half a pair waits for room.
    [[nodiscard]] bool pending() const { return has_second_; }

  private:
    bool has_second_ = false;
    std::uint8_t second_ = 0;
};

}  // namespace pomona::codec

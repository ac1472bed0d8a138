#include <pomona/base/error.hpp>

namespace pomona::base {

std::string Error::text() const {
    std::string line;
    if (!where.empty()) line += where + ": ";
    line += what;
    if (!remedy.empty()) line += "; " + remedy;
    return line;
}

}  // namespace pomona::base

// The text of nbi/models.txt, which the build makes a source file of.
#pragma once

#include <string_view>

namespace pomona::model {

extern const std::string_view models_text;

}  // namespace pomona::model

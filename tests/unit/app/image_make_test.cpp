#include "app/image_make.hpp"

#include "support/image_folder_fixture.hpp"
#include "support/temporary_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pomona::app {
namespace {}
}  // namespace pomona::app

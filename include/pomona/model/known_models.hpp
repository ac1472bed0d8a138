// The model identifiers that can NetBoot at all, as ranges of numbers per family; for warnings only, never
// for a decision. Macs with a T2 chip and with Apple's own processors lost NetBoot.
#pragma once

#include <string_view>

namespace pomona::model {

/// "iMac12,1": a family that NetBoots (Intel up to 2017, PowerPC, VMware's virtual Macs) and a number within
/// its range.
[[nodiscard]] bool is_known_netboot_model(std::string_view model);

}  // namespace pomona::model

// Namespaces by unshare(2) and setns(2); links by iproute2.
#include "support/net_namespace.hpp"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <stdexcept>
#include <system_error>

namespace pomona::tests {

namespace {

int current_namespace() {
    const int descriptor = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) throw std::system_error(errno, std::generic_category(), "/proc/thread-self/ns/net");
    return descriptor;
}

void change_to(int descriptor) {
    if (setns(descriptor, CLONE_NEWNET) != 0) {
        // A test that goes on in the wrong network would be worse than one that ends.
        std::abort();
    }
}

}  // namespace

NetNamespace::NetNamespace() {
    const int before = current_namespace();
    if (unshare(CLONE_NEWNET) != 0) {
        const int error = errno;
        close(before);
        throw std::system_error(error, std::generic_category(),
                                "a network namespace (run the tests as root)");
    }
    descriptor_ = current_namespace();
    change_to(before);
    close(before);
    run("echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6; "
        "echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6; ip link set lo up");
}

NetNamespace::~NetNamespace() {
    if (descriptor_ >= 0) close(descriptor_);
}

NetNamespace::Inside::Inside(int descriptor) : before_(current_namespace()) {
    change_to(descriptor);
}

NetNamespace::Inside::~Inside() {
    change_to(before_);
    close(before_);
}

void NetNamespace::run(const std::string& command) const {
    const Inside inside = enter();
    if (std::system(command.c_str()) != 0) throw std::runtime_error("failed: " + command);
}

Cable::Cable() {
    // The far end goes to its namespace by the descriptor, which the command inherits under this path.
    const std::string far_path =
        "/proc/" + std::to_string(getpid()) + "/fd/" + std::to_string(far.descriptor());
    near.run(
        "ip link add near0 address 02:00:00:00:00:01 type veth peer name far0 address "
        "02:00:00:00:00:02 netns " +
        far_path);
    near.run("ip link set near0 up");
    far.run("ip link set far0 up");
}

}  // namespace pomona::tests

// Throw-away network namespaces for tests: nothing a test sends leaves them. Needs root.
#pragma once

#include <string>

namespace pomona::tests {

/// A network namespace without a name. It ends with the last process, thread or descriptor in it.
class NetNamespace {
  public:
    /// Its loopback is up. Throws std::system_error, without root for instance.
    NetNamespace();
    NetNamespace(const NetNamespace&) = delete;
    NetNamespace& operator=(const NetNamespace&) = delete;
    ~NetNamespace();

    /// While this lives, the calling thread (and threads and processes it starts) is in the namespace.
    class Inside {
      public:
        explicit Inside(int descriptor);
        Inside(const Inside&) = delete;
        Inside& operator=(const Inside&) = delete;
        ~Inside();

      private:
        int before_ = -1;
    };
    [[nodiscard]] Inside enter() const { return Inside(descriptor_); }

    /// Runs a shell command in it; throws std::runtime_error when it fails.
    void run(const std::string& command) const;

    [[nodiscard]] int descriptor() const { return descriptor_; }

  private:
    int descriptor_ = -1;
};

/// Two namespaces and a cable between them: `near0` (02:00:00:00:00:01) and `far0` (02:00:00:00:00:02), both
/// up, without addresses and without IPv6, so that no frame passes that the test did not send.
class Cable {
  public:
    Cable();

    static constexpr const char* near_name = "near0";
    static constexpr const char* far_name = "far0";

    NetNamespace near;
    NetNamespace far;
};

}  // namespace pomona::tests

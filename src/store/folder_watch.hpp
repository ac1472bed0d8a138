// FolderWatch: inotify on the image roots, their image folders and the folders inside. Tells only that
// something changed; what, the next reading finds out.
#pragma once

#include "io/descriptor.hpp"

#include <set>
#include <string>
#include <vector>

namespace pomona::store {

class FolderWatch {
  public:
    FolderWatch();

    /// Becomes readable when something changed; -1 without inotify.
    [[nodiscard]] int descriptor() const { return inotify_.get(); }

    /// Watches what is there now. Call it before reading the folders, so that no change falls between.
    void update(const std::vector<std::string>& roots);

    /// Empties the queue; true if one of the events is a change.
    bool drain();

    /// Why some changes may go unnoticed ("no more watches ..."); empty when all is well.
    [[nodiscard]] const std::string& blind_spot() const { return blind_spot_; }

  private:
    void add(const std::string& path);
    void add_below(const std::string& folder, int depth, int& left);

    io::Descriptor inotify_;
    std::set<int> watches_;
    std::set<int> wanted_;
    std::string blind_spot_;
};

}  // namespace pomona::store

#include "live/followers.hpp"

namespace timesink::live {

void Followers::started(std::uint32_t pid, std::uint32_t local_pid, std::string_view runtime) {
    const bool native = runtime == "native";  // what it embeds may come later; the sections of a Go program may be stripped
    if (runtime == "python" || native) {
        pythons_.started(pid, local_pid);
    }
    if (runtime == "go" || native) {
        gos_.started(pid, local_pid);
    }
    if (runtime == "node") {
        nodes_.started(pid, local_pid);
    }
    if (runtime != "go") {  // which brings its own TLS, and bears no probes at returns
        libraries_.started(pid, local_pid);
    }
}

void Followers::ended(std::uint32_t pid) {
    pythons_.ended(pid);
    gos_.ended(pid);
    nodes_.ended(pid);
    libraries_.ended(pid);
}

void Followers::look(std::uint64_t now) {
    pythons_.look(now);
    gos_.look(now);
    nodes_.look(now);
    libraries_.look(now);
}

}  // namespace timesink::live

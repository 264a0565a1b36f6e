#include "live/function_probes.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <utility>

#include "live/kernel_errors.hpp"

namespace timesink::live {

Status FunctionProbes::watch(std::uint32_t pid, std::uint32_t local_pid, const MappedFunction& function, const Handler& handler,
                             ProbeGroup group) {
    bpf_uprobe_opts options{};
    options.sz = sizeof(options);
    options.retprobe = handler.at_return;
    options.bpf_cookie = handler.cookie;
    const std::uint64_t place =
        function.offset + runtime::cheap_place(code_of(function), function.convention, options.retprobe).value_or(0);
    Link link(
        bpf_program__attach_uprobe_opts(handler.program, static_cast<pid_t>(local_pid), function.path.c_str(), place, &options));
    if (!link) {
        return failure("a probe on its functions cannot be attached", errno);
    }
    watched_[{pid, group}].push_back(std::move(link));
    return Done{};
}

void FunctionProbes::unwatch(std::uint32_t pid, ProbeGroup group) {
    if (auto links = watched_.extract({pid, group})) {
        std::erase_if(leaving_,
                      [](const auto& done) { return done.wait_for(std::chrono::seconds(0)) == std::future_status::ready; });
        leaving_.push_back(std::async(std::launch::async, [gone = std::move(links.mapped())]() mutable { gone.clear(); }));
    }
}

void FunctionProbes::unwatch_all() {
    leaving_.push_back(std::async(std::launch::async, [gone = std::exchange(watched_, {})]() mutable { gone.clear(); }));
}

void FunctionProbes::clear() {
    watched_.clear();
    leaving_.clear();
}

}  // namespace timesink::live

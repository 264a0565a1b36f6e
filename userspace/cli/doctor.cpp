#include "cli/doctor.hpp"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "live/doctor.hpp"

namespace timesink::cli {

namespace {

std::string_view name(live::Verdict verdict) {
    switch (verdict) {
        case live::Verdict::good:
            return "ok";
        case live::Verdict::reduced:
            return "reduced";
        case live::Verdict::missing:
            break;
    }
    return "MISSING";
}

void print_json(const live::Examination& examination) {
    nlohmann::json findings = nlohmann::json::array();
    for (const auto& finding : examination.findings) {
        nlohmann::json entry{{"subject", finding.subject}, {"verdict", name(finding.verdict)}, {"found", finding.found}};
        if (finding.verdict != live::Verdict::good) {
            entry["costs"] = finding.costs;
            entry["mend"] = finding.mend;
        }
        findings.push_back(std::move(entry));
    }
    const nlohmann::json body{{"usable", examination.usable()}, {"findings", findings}};
    const std::string text = body.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
    std::fputs(text.c_str(), stdout);
}

void print_text(const live::Examination& examination) {
    std::size_t width = 0;
    for (const auto& finding : examination.findings) {
        width = std::max(width, finding.subject.size());
    }
    for (const auto& finding : examination.findings) {
        std::printf("%-7s  %-*s  %s\n", std::string(name(finding.verdict)).c_str(), static_cast<int>(width),
                    finding.subject.c_str(), finding.found.c_str());
        if (finding.verdict != live::Verdict::good) {
            std::printf("         costs: %s\n         mend:  %s\n", finding.costs.c_str(), finding.mend.c_str());
        }
    }
    const auto reduced = std::count_if(examination.findings.begin(), examination.findings.end(),
                                       [](const live::Finding& finding) { return finding.verdict == live::Verdict::reduced; });
    std::fputs(!examination.usable() ? "\ntimesink cannot run here.\n"
               : reduced != 0        ? "\ntimesink runs here, with what is said above missing from its reports.\n"
                                     : "\ntimesink runs here; nothing is missing.\n",
               stdout);
}

}  // namespace

CLI::App* add_doctor_options(CLI::App& program, DoctorOptions& options) {
    CLI::App* command = program.add_subcommand("doctor", "Try every probe on this host and say what is missing");
    command->add_flag("--fix", options.fix, "Mount what is not mounted (tracefs, bpffs)");
    command->add_flag("--json", options.json, "As JSON");
    return command;
}

int run_doctor(const DoctorOptions& options) {
    constexpr int kCannotAttach = 4;
    const auto examination = live::examine_host(options.fix);
    if (options.json) {
        print_json(examination);
    } else {
        print_text(examination);
    }
    return examination.usable() ? 0 : kCannotAttach;
}

}  // namespace timesink::cli

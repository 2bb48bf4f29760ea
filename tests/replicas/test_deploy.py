"""The files of server/deploy/, as the tools that read them see them."""
import os
import re
import shutil
import subprocess
import unittest

import yaml

import engines
from case import Case


def documents(name):
    with open(f"server/deploy/{name}") as file:
        return [document for document in yaml.safe_load_all(file) if document]


class Deploy(Case):
    def expect_good(self, *words):
        done = subprocess.run(words, capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr.replace("Configuration file is valid", "")),
                         (0, ""), done.stdout)

    def options(self):
        text = subprocess.run([engines.PROGRAM, "--help"], capture_output=True, text=True).stdout
        return {"LAYERD_" + name.upper().replace("-", "_")
                for name in re.findall(r"^  --([a-z-]+)", text, re.M)}

    def test_haproxy(self):
        self.expect_good("haproxy", "-c", "-f", "server/deploy/haproxy.cfg")

    def test_compose(self):
        compose, = documents("compose.yaml")
        services = compose["services"]
        self.assertEqual(set(services), {"store", "layerd", "haproxy"})
        self.assertLessEqual(set(services["layerd"]["environment"]), self.options())
        self.assertEqual(services["layerd"]["deploy"]["replicas"], 3)
        self.assertIn("noeviction", services["store"]["command"])
        folder = self.start(engines.Engine())
        content = compose["configs"]["haproxy"]["content"]
        self.expect_good("haproxy", "-c", "-f", folder.write("haproxy.cfg", content))

    def test_compose_has_the_settings_of_the_file(self):
        def settings(text):
            lines = {re.sub(r"\s*#.*", "", line).strip() for line in text.splitlines()}
            return {line for line in lines
                    if line and not re.match(r"(bind|server|resolvers|nameserver|hold)\b", line)}
        with open("server/deploy/haproxy.cfg") as file:
            self.assertEqual(settings(documents("compose.yaml")[0]["configs"]["haproxy"]["content"]),
                             settings(file.read()))

    def test_kubernetes(self):
        kinds = {document["kind"]: document for document in documents("kubernetes.yaml")}
        self.assertEqual(set(kinds),
                         {"Deployment", "Service", "PodDisruptionBudget", "ServiceMonitor"})
        pod = kinds["Deployment"]["spec"]["template"]
        labels = pod["metadata"]["labels"]
        for kind in ("Deployment", "PodDisruptionBudget", "ServiceMonitor"):
            self.assertEqual(kinds[kind]["spec"]["selector"]["matchLabels"], labels)
        self.assertEqual(kinds["Service"]["spec"]["selector"], labels)
        container, = pod["spec"]["containers"]
        self.assertLessEqual({variable["name"] for variable in container["env"]}, self.options())
        for probe, path in (("readinessProbe", "/readyz"), ("livenessProbe", "/healthz")):
            self.assertEqual(container[probe]["httpGet"], {"path": path, "port": "http"})
        variables = {variable["name"]: variable["value"] for variable in container["env"]}
        stop = sum(int(variables[name][:-1]) for name in ("LAYERD_DRAIN_TIME", "LAYERD_GRACE"))
        self.assertGreater(pod["spec"]["terminationGracePeriodSeconds"], stop)

    @unittest.skipUnless(shutil.which("systemd-analyze"), "there is no systemd-analyze")
    def test_units(self):
        folder = self.start(engines.Engine()).folder.name
        os.makedirs(folder + "/bin")
        shutil.copy(engines.PROGRAM, folder + "/bin/layerd")
        for name, script in (("layerd.service", ()),
                             ("layerd@.service", ("-f", "server/deploy/replica.sed"))):
            unit = subprocess.run(["sed", "-e", f"s|@PREFIX@|{folder}|", *script,
                                   "server/deploy/layerd.service"], capture_output=True, text=True)
            path = f"{folder}/{name.replace('@', '@8081')}"
            with open(f"{folder}/{name}", "w") as file:
                file.write(unit.stdout)
            self.expect_good("systemd-analyze", "verify", "--man=no", path)
        self.assertIn("LAYERD_LISTEN=127.0.0.1:%i", unit.stdout)
        self.assertIn("/etc/default/layerd-replicas", unit.stdout)

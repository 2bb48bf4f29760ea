"""The files of server/deploy/, as the tools that read them see them."""
import filecmp
import json
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


def install_types():
    """From npm; where that is not to be had the test is skipped"""
    source, place = "tests/replicas/kubernetes/package.json", "build/kubernetes"
    os.makedirs(place, exist_ok=True)
    installed = place + "/installed.json"
    if not os.path.exists(installed) or not filecmp.cmp(source, installed, shallow=False):
        if not shutil.which("npm"):
            raise unittest.SkipTest("npm is not installed")
        asked = subprocess.run(["npm", "view", "--fetch-retries=1", "typescript@5.9.3", "version"],
                               capture_output=True, timeout=60)
        if asked.returncode:
            raise unittest.SkipTest("npm reaches no registry")
        shutil.copy(source, place)
        subprocess.run(["npm", "install", "--ignore-scripts", "--no-package-lock", "--no-audit",
                        "--no-fund"], cwd=place, check=True, capture_output=True)
        shutil.copy(source, installed)
    return os.path.abspath(place)


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
        done = subprocess.run(["docker-compose", "-f", "server/deploy/compose.yaml", "config"],
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(set(yaml.safe_load(done.stdout)["services"]), set(services))
        self.expect_good("haproxy", "-c", "-f", "server/deploy/haproxy-compose.cfg")

    def test_compose_has_the_settings_of_the_file(self):
        def settings(text):
            lines = {re.sub(r"\s*#.*", "", line).strip() for line in text.splitlines()}
            return {line for line in lines
                    if line and not re.match(r"(bind|server|resolvers|nameserver|hold)\b", line)}
        files = [open(f"server/deploy/{name}.cfg").read() for name in ("haproxy", "haproxy-compose")]
        self.assertEqual(*map(settings, files))

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

    def test_kubernetes_by_its_types(self):
        """As TypeScript sees the manifest, with the types that Kubernetes' own schemas give"""
        place = install_types()
        text = ""
        for i, document in enumerate(documents("kubernetes.yaml")):
            kind, version = document["kind"], document["apiVersion"]
            package = ("@kubernetes-models/prometheus-operator" if ".coreos." in version else
                       "kubernetes-models")
            text += (f'import type {{ I{kind} as T{i} }} from "{package}/{version}";\n'
                     f"export const d{i}: T{i} = {json.dumps(document, indent=1)};\n")
        with open(place + "/manifest.ts", "w") as file:
            file.write(text)
        tsc = [place + "/node_modules/.bin/tsc", "--noEmit", "--strict", "--skipLibCheck", "--module",
               "nodenext", place + "/manifest.ts"]
        self.expect_good(*tsc)
        with open(place + "/manifest.ts", "w") as file:
            file.write(text.replace("readinessProbe", "readynessProbe"))
        self.assertIn("readynessProbe", subprocess.run(tsc, capture_output=True, text=True).stdout)

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

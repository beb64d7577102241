import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hasProgram, type KubectlCluster, newestKubectl, STARTUP_MS, startKubectlCluster } from "./kubectl.js";

/** What people type: kubectl's sub-commands against one cluster. Those that open streams into pods have a file of their own. */

const program = newestKubectl();
let cluster: KubectlCluster;
const run: KubectlCluster["run"] = (line, options) => cluster.run(line, options);
const kubectl: KubectlCluster["kubectl"] = (line, options) => cluster.kubectl(line, options);

const configMap = (name: string, data: Record<string, string>, more: object = {}) => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name, ...more },
  data,
});

describe.skipIf(!program)("kubectl", () => {
  beforeAll(async () => {
    cluster = await startKubectlCluster(program as string);
    await run("wait --for=create nodes -l eks.amazonaws.com/nodegroup=workers --timeout=60s");
    await run("wait --for=condition=Ready nodes --all --timeout=120s");
  }, STARTUP_MS);
  afterAll(() => cluster?.stop());

  it.each([
    ["configmap cm --from-literal=a=b", "configmap/cm created"],
    ["secret generic s --from-literal=p=1", "secret/s created"],
    ["secret docker-registry dr --docker-server=x --docker-username=u --docker-password=p", "secret/dr created"],
    ["job j --image=busybox -- /bin/true", "job.batch/j created"],
    ["cronjob cj --image=busybox '--schedule=0 0 1 1 *' -- /bin/true", "cronjob.batch/cj created"],
    ["ingress ing --rule=foo.com/bar=web:80", "ingress.networking.k8s.io/ing created"],
    ["role r --verb=get --resource=pods", "role.rbac.authorization.k8s.io/r created"],
    ["rolebinding rb --role=r --user=bob", "rolebinding.rbac.authorization.k8s.io/rb created"],
    ["clusterrole cr --verb=get,list --resource=nodes", "clusterrole.rbac.authorization.k8s.io/cr created"],
    ["clusterrolebinding crb --clusterrole=cr --user=bob", "clusterrolebinding.rbac.authorization.k8s.io/crb created"],
    ["serviceaccount sa", "serviceaccount/sa created"],
    ["quota q --hard=configmaps=100", "resourcequota/q created"],
    ["priorityclass pc --value=10", "priorityclass.scheduling.k8s.io/pc created"],
    ["poddisruptionbudget pdb --selector=app=pdb --min-available=1", "poddisruptionbudget.policy/pdb created"],
    ["service clusterip sv --tcp=80:80", "service/sv created"],
    ["service nodeport svn --tcp=80:80", "service/svn created"],
    ["service loadbalancer svl --tcp=80:80", "service/svl created"],
    ["service externalname sve --external-name=example.com", "service/sve created"],
    ["namespace ns1", "namespace/ns1 created"],
  ])("create %s", async (line, answer) => {
    expect(await run(`create ${line}`)).toBe(`${answer}\n`);
  });

  it("create token gives one that whoami accepts", async () => {
    await run("create serviceaccount robot");
    const token = (await run("create token robot --duration=1h")).trim();
    expect(await run(`auth whoami --token=${token} -o jsonpath={.status.userInfo.username}`)).toBe(
      "system:serviceaccount:default:robot",
    );
  });

  it("get prints in every form", async () => {
    await run("create deployment forms --image=nginx --replicas=2 --port=80");
    expect(await run("rollout status deployment/forms --timeout=120s")).toContain("successfully rolled out");
    const forms = await Promise.all(
      [
        "get deployment forms -o wide",
        "get pods -l app=forms -o custom-columns=NAME:.metadata.name,PHASE:.status.phase",
        "get pods -l app=forms -o jsonpath={.items[*].status.phase}",
        "get pods -l app=forms -o 'go-template={{range .items}}{{.status.phase}};{{end}}'",
        "get deployment forms -o yaml --show-managed-fields",
        "get pods -l app=forms --sort-by=.metadata.name -o name",
        "get pods -l app=forms --show-labels --no-headers",
        "get pods -A --field-selector=status.phase=Running -l app=forms -o name --chunk-size=1",
        "get all -l app=forms",
        "get deployment forms --subresource=status -o jsonpath={.status.readyReplicas}",
        "get pods -l app=forms --watch --output-watch-events --request-timeout=1s --no-headers",
      ].map((line) => run(line)),
    );
    const [wide, columns, phases, template, yaml, names, labels, chunks, all, ready, watched] = forms as string[];
    expect(wide).toMatch(/CONTAINERS\s+IMAGES\s+SELECTOR\nforms\s+2\/2\s+2\s+2\s+\S+\s+nginx\s+nginx\s+app=forms/);
    expect(columns).toMatch(/NAME\s+PHASE\nforms-\S+\s+Running\nforms-\S+\s+Running\n/);
    expect([phases, template, ready]).toEqual(["Running Running", "Running;Running;", "2"]);
    expect(yaml).toMatch(/managedFields:[\s\S]*manager: kubectl-create/);
    expect(names).toMatch(/^pod\/forms-\S+\npod\/forms-\S+\n$/);
    expect(labels).toMatch(/app=forms,pod-template-hash=/);
    expect(chunks).toBe(names);
    expect(all).toMatch(/replicaset.apps\/forms-/);
    expect(watched).toMatch(/ADDED\s+forms-/);
  });

  it("explain, api-resources, api-versions, version and cluster-info describe the server", async () => {
    const [field, recursive, resources, versions, version, info, dump, config] = await Promise.all([
      run("explain pod.spec.containers.livenessProbe.httpGet.port"),
      run("explain hpa --api-version=autoscaling/v2 --recursive"),
      run("api-resources --namespaced=false --verbs=list -o name"),
      run("api-versions"),
      run("version -o json"),
      run("cluster-info"),
      run("cluster-info dump --namespaces default"),
      run("config view --minify -o jsonpath={.contexts[0].name}"),
    ]);
    expect(field).toContain("FIELD: port <IntOrString>");
    expect(recursive).toMatch(/averageUtilization\t<integer>/);
    expect(resources.split("\n")).toContain("nodes");
    expect(versions.split("\n")).toContain("apps/v1");
    expect(JSON.parse(version).serverVersion.gitVersion).toMatch(/^v1\.\d+\.\d+-eks-/);
    expect(info).toContain("Kubernetes control plane");
    expect(dump).toContain('"kind": "EventList"');
    expect(config).toBe("demo");
  });

  it("apply works client-side and server-side, prunes, diffs and remembers", async () => {
    const labels = { app: "pruned" };
    const keep = configMap("kept", { key: "1" }, { labels });
    const drop = configMap("dropped", {}, { labels });
    await run("apply -f -", { input: { apiVersion: "v1", kind: "List", items: [keep, drop] } });
    expect(await run("apply -f - --prune -l app=pruned --prune-allowlist=core/v1/ConfigMap", { input: keep })).toMatch(
      /configmap\/kept unchanged\nconfigmap\/dropped pruned/,
    );
    expect(await run("apply view-last-applied configmap kept -o json")).toContain('"key": "1"');
    const changed = configMap("kept", { key: "2" }, { labels });
    if (hasProgram("diff")) {
      const { code, out } = await kubectl("diff -f -", { input: changed });
      expect([code, out.includes('+  key: "2"')]).toEqual([1, true]);
    }
    expect(await run("apply -f - --server-side --force-conflicts", { input: changed })).toContain("serverside-applied");
    const { err } = await kubectl("apply -f - --server-side --field-manager=other", {
      input: configMap("kept", { key: "3" }, { labels }),
    });
    expect(err).toContain('conflict with "kubectl": .data.key');
    expect(
      await run("apply -f - --dry-run=server -o jsonpath={.data.key}", { input: configMap("kept", { key: "9" }) }),
    ).toBe("9");
    expect(await run("get configmap kept -o jsonpath={.data.key}")).toBe("2");
  });

  it("apply -k, kustomize and delete -k work on a directory", async () => {
    const directory = join(cluster.home, "kustomized");
    mkdirSync(directory);
    writeFileSync(join(directory, "kustomization.yaml"), "namePrefix: kz-\nresources: [cm.yaml]\n");
    writeFileSync(join(directory, "cm.yaml"), JSON.stringify(configMap("cm", { a: "b" })));
    expect(await run("kustomize kustomized")).toContain("name: kz-cm");
    expect(await run("apply -k kustomized")).toBe("configmap/kz-cm created\n");
    expect(await run("delete -k kustomized")).toContain('configmap "kz-cm" deleted');
  });

  it("patch, edit, replace, label and annotate change objects", async () => {
    await run("create configmap changed --from-literal=a=1");
    const editor = join(cluster.home, "editor");
    writeFileSync(editor, '#!/bin/sh\nsed -i \'s/a: "1"/a: "edited"/\' "$1"\n', { mode: 0o755 });
    expect(await run("edit configmap changed", { env: { EDITOR: editor } })).toBe("configmap/changed edited\n");
    await run(`patch configmap changed -p '{"data":{"b":"2"}}'`);
    await run(`patch configmap changed --type=merge -p '{"data":{"c":"3"}}'`);
    await run(`patch configmap changed --type=json -p '[{"op":"remove","path":"/data/b"}]'`);
    await run("label configmap changed team=red");
    expect((await kubectl("label configmap changed team=blue")).err).toContain("already has a value (red)");
    await run("label configmap changed team=blue --overwrite");
    await run("annotate configmap changed note=x");
    expect(await run("get configmap changed -o jsonpath={.data}{.metadata.labels}{.metadata.annotations}")).toBe(
      '{"a":"edited","c":"3"}{"team":"blue"}{"note":"x"}',
    );
    expect(await run("replace -f -", { input: configMap("changed", { z: "1" }) })).toBe("configmap/changed replaced\n");
    expect(await run("replace --force -f -", { input: configMap("changed", { z: "2" }) })).toContain(
      "configmap/changed replaced",
    );
    expect(await run("get configmap changed -o jsonpath={.data}{.metadata.labels}")).toBe('{"z":"2"}');
  });

  it("scale, autoscale, expose, set and rollout steer a deployment", async () => {
    await run("create deployment web --image=nginx:1 --replicas=2");
    await run("rollout status deployment/web --timeout=120s");
    await run("expose deployment web --port=80");
    await run("autoscale deployment web --min=2 --max=4 --cpu-percent=50");
    expect(await run("get hpa web")).toMatch(/web\s+Deployment\/web\s+cpu: \S+\/50%\s+2\s+4/);
    await run("delete hpa web");
    expect((await kubectl("scale deployment/web --replicas=1 --current-replicas=9")).err).toContain(
      "Expected replicas to be 9, was 2",
    );
    await run("scale deployment/web --replicas=3 --current-replicas=2");
    expect(await run(`patch deployment web --subresource=scale --type=merge -p '{"spec":{"replicas":2}}'`)).toContain(
      "patched",
    );
    await run("set env deployment/web MODE=test");
    await run("set resources deployment/web --limits=cpu=200m --requests=cpu=100m");
    await run("set serviceaccount deployment/web default");
    await run("set image deployment/web nginx=nginx:2");
    await run("annotate deployment/web kubernetes.io/change-cause=second");
    expect(await run("rollout status deployment/web --timeout=120s")).toContain("successfully rolled out");
    expect(await run("rollout history deployment/web")).toMatch(/\d\s+second/);
    await run("rollout undo deployment/web --to-revision=1");
    await run("rollout pause deployment/web");
    await run("rollout resume deployment/web");
    await run("rollout restart deployment/web");
    expect(await run("rollout status deployment/web --timeout=120s")).toContain("successfully rolled out");
    expect(await run("get deployment web -o jsonpath={.spec.template.spec.containers[0].image}")).toBe("nginx:1");
    const [deployment, service, slices] = await Promise.all([
      run("describe deployment web"),
      run("describe service web"),
      run("get endpointslices -l kubernetes.io/service-name=web -o jsonpath={.items[0].endpoints[*].conditions.ready}"),
    ]);
    expect(deployment).toMatch(/ScalingReplicaSet\s.*Scaled up replica set web-/);
    expect(service).toMatch(/Endpoints:\s+[\d.]+:80,[\d.]+:80/);
    expect(slices.startsWith("true true")).toBe(true);
    await run("delete deployment,service web --cascade=foreground --timeout=120s");
  });

  it("rolls daemon sets and stateful sets, and waits for conditions, fields, creation and deletion", async () => {
    const set = (kind: string, name: string, more: object = {}) => ({
      apiVersion: "apps/v1",
      kind,
      metadata: { name },
      spec: {
        selector: { matchLabels: { set: name } },
        template: { metadata: { labels: { set: name } }, spec: { containers: [{ name: "c", image: "nginx:1" }] } },
        ...more,
      },
    });
    const waiting = run("wait --for=create statefulset/sts --timeout=30s");
    await run("create -f -", { input: set("DaemonSet", "ds") });
    await run("create -f -", { input: set("StatefulSet", "sts", { replicas: 2, serviceName: "sts" }) });
    expect(await waiting).toContain("condition met");
    for (const name of ["daemonset/ds", "statefulset/sts"]) {
      expect(await run(`rollout status ${name} --timeout=120s`)).toMatch(/successfully rolled out|roll out complete/);
      await run(`set image ${name} c=nginx:2`);
      expect(await run(`rollout status ${name} --timeout=120s`)).toMatch(
        /rolled out|roll out complete|rolling update complete/,
      );
      expect(await run(`rollout history ${name}`)).toMatch(/1\s+<none>\n2\s+<none>/);
      await run(`rollout undo ${name}`);
    }
    await run("wait --for=jsonpath={.status.phase}=Running pod/sts-0 --timeout=60s");
    await run("wait --for=condition=Complete job/j --timeout=60s");
    const gone = run("wait --for=delete pod/sts-1 --timeout=60s");
    await run("delete statefulset sts --cascade=foreground --timeout=60s");
    await gone;
    await run("delete daemonset ds");
  });

  it("describe tells of every kind", async () => {
    const [node, pod, job, quota, namespace, cronjob, ingress, budget, storage, role, secret, account] =
      await Promise.all(
        [
          "describe nodes -l eks.amazonaws.com/nodegroup=workers",
          "describe pods -l app=forms",
          "describe job j",
          "describe quota q",
          "describe namespace default",
          "describe cronjob cj",
          "describe ingress ing",
          "describe pdb pdb",
          "describe storageclass",
          "describe role r",
          "describe secret s",
          "describe serviceaccount sa",
        ].map((line) => run(line)),
      );
    expect(node).toMatch(/Ready\s+True .*KubeletReady/);
    expect(node).toMatch(/Allocated resources:/);
    expect(pod).toMatch(/Normal\s+Started\s.*Container started/);
    expect(job).toMatch(/Pods Statuses:\s+0 Active .* 1 Succeeded/);
    expect(quota).toMatch(/configmaps\s+\d+\s+100/);
    expect(namespace).toContain("Resource Quotas");
    expect(cronjob).toContain("0 0 1 1 *");
    expect(ingress).toMatch(/foo.com\s+\/bar\s+web:80/);
    expect(budget).toContain("Min available:  1");
    expect(storage).toMatch(/Provisioner:\s+kubernetes.io\/aws-ebs/);
    expect(role).toMatch(/pods\s+\[\]\s+\[\]\s+\[get\]/);
    expect(secret).toContain("p:  1 bytes");
    expect(account).toMatch(/Name:\s+sa/);
  });

  it("events and get events list what happened", async () => {
    expect(await run("events --for deployment/forms --types=Normal")).toContain("Scaled up replica set forms-");
    expect(await run("get events --field-selector reason=ScalingReplicaSet --sort-by=.lastTimestamp")).toContain(
      "deployment/forms",
    );
  });

  it("cordon, drain, uncordon and taint keep pods away from nodes", async () => {
    const node = await run("get nodes -o jsonpath={.items[0].metadata.name}");
    await run("run lonely --image=nginx");
    expect(await run(`cordon ${node}`)).toContain("cordoned");
    expect(await run(`get node ${node}`)).toContain("Ready,SchedulingDisabled");
    expect(await run(`drain ${node} --ignore-daemonsets --force --delete-emptydir-data --timeout=120s`)).toContain(
      "drained",
    );
    const left = await run(
      `get pods -A --field-selector spec.nodeName=${node} -o jsonpath={.items[*].metadata.ownerReferences[0].kind}`,
    );
    expect(new Set(left.split(" "))).toEqual(new Set(["DaemonSet"]));
    await run(`uncordon ${node}`);
    await run(`taint node ${node} team=red:NoSchedule`);
    expect(await run(`describe node ${node}`)).toMatch(/Taints:\s+team=red:NoSchedule/);
    await run(`taint node ${node} team-`);
  });

  it("top shows what nodes and pods use once metrics-server is there", async () => {
    expect((await kubectl("top nodes")).err).toContain("Metrics API not available");
    await cluster.eksim.eks("POST", "/clusters/demo/addons", { addonName: "metrics-server" });
    while ((await kubectl("top pods -n kube-system -l k8s-app=aws-node")).code !== 0);
    const [nodes, pods, containers] = await Promise.all([
      run("top nodes --no-headers"),
      run("top pods -n kube-system --sort-by=memory"),
      run("top pods -n kube-system --containers -l k8s-app=aws-node"),
    ]);
    expect(nodes.trim().split("\n")).toHaveLength(3);
    expect(nodes).toMatch(/^ip-\S+\s+\d+m\s+\d+%\s+\d+Mi\s+\d+%/);
    expect(pods).toMatch(/NAME\s+CPU\(cores\)\s+MEMORY\(bytes\)/);
    expect(containers).toMatch(/aws-node-\S+\s+aws-node\s+\d+m\s+\d+Mi/);
  });

  it("auth tells and reconciles what is allowed", async () => {
    const role = {
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "Role",
      metadata: { name: "reconciled", namespace: "default" },
      rules: [{ apiGroups: [""], resources: ["pods"], verbs: ["get"] }],
    };
    const [yes, no, list, reconciled] = await Promise.all([
      run("auth can-i get pods --as=bob"),
      kubectl("auth can-i delete pods --as=bob"),
      run("auth can-i --list --as=bob"),
      run("auth reconcile -f -", { input: role }),
    ]);
    expect([yes.trim(), no.out.trim(), no.code]).toEqual(["yes", "no", 1]);
    expect(list).toMatch(/nodes\s+\[\]\s+\[\]\s+\[get list\]/);
    expect(reconciled).toContain("role.rbac.authorization.k8s.io/reconciled reconciled");
  });

  it.skipIf(!hasProgram("openssl", "version"))(
    "certificate approves and denies requests, and the certificate is a user",
    async () => {
      const at = (name: string) => join(cluster.home, name);
      execFileSync(
        "openssl",
        [
          "req",
          "-new",
          "-newkey",
          "rsa:2048",
          "-nodes",
          "-keyout",
          at("key"),
          "-out",
          at("csr"),
          "-subj",
          "/O=devs/CN=ursula",
        ],
        { stdio: "ignore" },
      );
      const request = execFileSync("base64", ["-w0", at("csr")], { encoding: "utf8" });
      const input = (name: string) => ({
        apiVersion: "certificates.k8s.io/v1",
        kind: "CertificateSigningRequest",
        metadata: { name },
        spec: { request, signerName: "kubernetes.io/kube-apiserver-client", usages: ["client auth"] },
      });
      await run("create -f -", { input: input("ursula") });
      await run("create -f -", { input: input("denied") });
      await run("certificate approve ursula");
      await run("certificate deny denied");
      expect(await run("wait --for=jsonpath={.status.certificate} csr/ursula --timeout=60s")).toContain(
        "condition met",
      );
      expect(await run("get csr")).toMatch(/denied .*Denied\n(.*\n)*ursula .*Approved,Issued/);
      const certificate = await run("get csr ursula -o jsonpath={.status.certificate}");
      writeFileSync(at("cert"), Buffer.from(certificate, "base64"));
      await run(`config set-credentials ursula --client-certificate=${at("cert")} --client-key=${at("key")}`);
      expect(await run("auth whoami --user=ursula -o jsonpath={.status.userInfo}")).toMatch(
        /"devs".*"username":"ursula"/,
      );
      expect((await kubectl("get pods --user=ursula")).err).toContain('User "ursula" cannot list resource "pods"');
    },
  );

  it("get --raw reads paths, and delete takes things away", async () => {
    expect(await run("get --raw /healthz")).toBe("ok");
    expect(await run("get --raw /readyz?verbose")).toContain("readyz check passed");
    expect((await kubectl("get --raw /api/v1/nodes/none")).err).toContain('nodes "none" not found');
    await run("delete deployment forms --cascade=orphan");
    expect(await run("get rs -l app=forms -o name")).toContain("replicaset.apps/forms-");
    await run("delete rs,pods -l app=forms --timeout=120s");
    await run("delete pod lonely --ignore-not-found --grace-period=0 --force");
    expect(await run("delete namespace ns1 --timeout=60s")).toContain('namespace "ns1" deleted');
  });
});

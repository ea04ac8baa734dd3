// What the HTTP API takes and answers. Made by `python -m aml_jupyter.jupyter.server.typescript
// labextension/src/view/api.ts` from the types that the server itself is written in; do not edit.
// Longer than 400 lines: it is made.

/** Describe a machine to attach. */
export interface AttachTargetBody {
  name: string;
  type?: string;
  /** `address`, `username`, `ssh_key`, `fingerprint` and so on: see the kind's settings. */
  settings?: Record<string, unknown>;
  /** Kept among the workspace's secrets, and nowhere else. */
  password?: string | null;
  /** Of the key; kept like a password. */
  passphrase?: string | null;
  description?: string;
  tags?: Record<string, string>;
}

/** One start of a run. */
export interface Attempt {
  number: number;
  node: string | null;
  start_time: string | null;
  end_time: string | null;
  exit_code: number | null;
  signal: number | string | null;
  reason: string | null;
  peak_memory: number | null;
  cpu_time: number | null;
}

/** A change of a run's state. */
export interface Change {
  time: string | null;
  attempt: number;
  before: string | null;
  after: string;
  reason: string;
}

/** The points of a metric; least and greatest value of each stretch are kept. */
export interface Chart {
  x: (number | string | null)[];
  y: (number | string | null)[];
  low: (number | string | null)[];
  high: (number | string | null)[];
  count: number;
  /** Unix seconds; empty unless it was asked for. */
  time: number[];
}

/** One metric with its chart. */
export interface ChartAnswer {
  api_version: number;
  workspace: string | null;
  run: string;
  metric: Metric;
  chart: Chart;
}

/** The children of a run, oldest first: a list for each column. Times are Unix seconds. */
export interface Children {
  id: string[];
  name: string[];
  status: string[];
  reason: string[];
  target: string[];
  created: number[];
  started: (number | null)[];
  ended: (number | null)[];
  /** A column for each. */
  parameters: Record<string, unknown[]>;
  /** The last value; of a sweep's primary metric the best one. */
  metrics: Record<string, (number | string | null)[]>;
  /** Where each value of a sweep's parameter lies on its axis, from 0 to 1 by its expression; null where it is not on it. */
  positions: Record<string, (number | null)[]>;
  /** A sweep's primary metric. */
  metric: string | null;
  goal: string | null;
}

/** The children of a run. */
export interface ChildrenAnswer {
  api_version: number;
  workspace: string | null;
  run: string;
  children: Children;
}

/** Runs side by side: for each section, fields with a value for each run and whether they differ. */
export interface Comparison {
  runs: string[];
  run: Record<string, unknown>;
  arguments: Record<string, unknown>;
  parameters: Record<string, unknown>;
  environment: Record<string, unknown>;
  metrics: Record<string, unknown>;
  tags: Record<string, unknown>;
  properties: Record<string, unknown>;
  files: Record<string, unknown>;
  /** Names that were added, removed and changed since the first run's. */
  snapshot: (Record<string, unknown> | null)[];
}

/** Runs side by side. */
export interface ComparisonAnswer {
  api_version: number;
  workspace: string | null;
  comparison: Comparison;
}

/** Describe a compute target to create. */
export interface CreateTargetBody {
  name: string;
  type?: string;
  settings?: Record<string, unknown>;
  description?: string;
  tags?: Record<string, string>;
}

/** The target that is being deleted; it is gone when its runs have ended. */
export interface DeletedAnswer {
  api_version: number;
  workspace: string | null;
  deleted: string;
}

/** What a run was told to do. */
export interface DetailsAnswer {
  api_version: number;
  workspace: string | null;
  run: string;
  /** The content of run.json; no secret, and of variables only their names. */
  definition: Record<string, unknown>;
  environment_lock: string | null;
}

/** An environment of a workspace, or a curated one. */
export interface Environment {
  id: string;
  name: string;
  version: string | null;
  created_time: string | null;
  autosaved: boolean;
  curated: boolean;
  kind: string;
  title: string;
  state: string;
  asked_id: string | null;
  resolved_id: string | null;
  resolved_time: string | null;
  size: number | null;
  size_own: number | null;
  last_used_time: string | null;
  path: string | null;
  image: string | null;
}

/** The environments: the newest version of each registered one, then the curated ones. */
export interface EnvironmentsAnswer {
  api_version: number;
  workspace: string | null;
  environments: Environment[];
}

/** A named series of runs. */
export interface Experiment {
  name: string;
  id: string | number;
  run_count: number;
  created_time: string | null;
}

/** The experiments of a workspace. */
export interface ExperimentsAnswer {
  api_version: number;
  workspace: string | null;
  experiments: Experiment[];
}

/** The files of a run. */
export interface FilesAnswer {
  api_version: number;
  workspace: string | null;
  run: string;
  files: RunFile[];
}

/** That the extension is there. */
export interface HealthAnswer {
  api_version: number;
  workspace: string | null;
  status: string;
  version: string;
  minimum_client_version: number;
}

/** What this server has done for the service. */
export interface Host {
  starts: number;
  last_start: number | null;
  last_check: number | null;
  error: string;
  pause: number;
}

/** A kind of compute targets, and what it can do. */
export interface Kind {
  type: string;
  title: string;
  class: string;
  built: boolean;
  plain_runs: boolean;
  pipelines: string;
  sweeps: boolean;
  gpu: boolean;
  several_nodes: boolean;
  frameworks: string[];
  verbs: string[];
  lifted: string[];
  aliases: string[];
  settings: Record<string, unknown>;
  note: string;
}

/** The kinds of compute targets. */
export interface KindsAnswer {
  api_version: number;
  workspace: string | null;
  kinds: Kind[];
}

/** A stretch of a log. */
export interface LogAnswer {
  api_version: number;
  workspace: string | null;
  run: string;
  file: string;
  attempt: number;
  text: string;
  offset: number;
  next_offset: number;
  size: number;
  /** True when no more will come. */
  complete: boolean;
}

/** A line of a log in which a text was found. */
export interface Match {
  /** First byte of the line. */
  offset: number;
  line: string;
}

/** Lines of a log in which a text was found. */
export interface MatchesAnswer {
  api_version: number;
  workspace: string | null;
  run: string;
  file: string;
  matches: Match[];
  /** Where the search goes on. */
  next_offset: number;
  size: number;
  /** True when the whole log was searched. */
  complete: boolean;
}

/** A metric, summarised. */
export interface Metric {
  name: string;
  kind: string;
  count: number;
  last: unknown;
  minimum: number | string | null;
  maximum: number | string | null;
  has_steps: boolean;
  value: unknown;
}

/** The metrics of a run. */
export interface MetricsAnswer {
  api_version: number;
  workspace: string | null;
  run: string;
  metrics: Metric[];
}

/** A version of a registered model. */
export interface Model {
  id: string;
  name: string;
  version: number;
  created_time: string | null;
  modified_time: string | null;
  run_id: string | null;
  experiment_name: string | null;
  description: string | null;
  framework: string | null;
  framework_version: string | null;
  tags: Record<string, string>;
  properties: Record<string, string>;
  root: string;
  files: number;
  size: number;
}

/** The registered models, each version. */
export interface ModelsAnswer {
  api_version: number;
  workspace: string | null;
  models: Model[];
}

/** A file that a run made. */
export interface Output {
  name: string;
  size: number;
  modified: string | null;
}

/** A sweep as a page. */
export interface PageAnswer {
  api_version: number;
  workspace: string | null;
  run: string;
  /** One element without scripts; empty for a run that is no sweep. */
  html: string;
}

/** Why something was not done. */
export interface Refusal {
  api_version: number;
  /** What happened, why, and what to do. */
  message: string;
  /** The field that is to blame. */
  field: string | null;
  reason: string;
}

/** A run in a list. */
export interface Run {
  id: string;
  parent: string | null;
  experiment: string;
  status: string;
  target: string;
  attempt: number;
  exit_code: number | null;
  start_time: string | null;
  end_time: string | null;
  metrics: Record<string, unknown>;
  parameters: Record<string, unknown>;
  snapshot: string | null;
  error: Record<string, unknown> | null;
  display_name: string;
  number: number;
  kind: string;
  reason: string;
  place_in_line: number | null;
  progress: Record<string, unknown> | null;
  priority: number;
  cores: number;
  gpus: number;
  /** Bytes. */
  memory: number;
  created_time: string | null;
  queued_time: string | null;
  cancel_requested_time: string | null;
  script: string | null;
  command: string | string[] | null;
  arguments: string[];
  source_directory: string | null;
  max_retries: number;
  tags: Record<string, string>;
  properties: Record<string, string>;
  hidden: boolean;
  /** Its place in the order of all runs: the `before` of a next page. */
  seq: number;
}

/** One run. */
export interface RunAnswer {
  api_version: number;
  workspace: string | null;
  run: WholeRun;
}

/** A run configuration of a project's folder; all but name and remark are null for one that cannot be read. */
export interface RunConfigurationEntry {
  name: string;
  target: string | null;
  framework: string | null;
  script: string | null;
  environment: string | null;
  /** Why it cannot be read, or what was noticed in it. */
  remark: string | null;
  readable: boolean;
}

/** The run configurations of a folder. */
export interface RunConfigurationsAnswer {
  api_version: number;
  workspace: string | null;
  source_directory: string;
  run_configurations: RunConfigurationEntry[];
}

/** A file of a run. */
export interface RunFile {
  name: string;
  size: number;
  attempt: number;
  modified: string | null;
  /** The compute target on whose machine it stayed; null when it is here. */
  target: string | null;
  /** Of a file that stayed there. */
  sha256: string | null;
  /** What brings a file here that stayed there. */
  command: string | null;
}

/** A page of runs, the newest first. */
export interface RunsAnswer {
  api_version: number;
  workspace: string | null;
  runs: Run[];
  /** The `before` of the next page. */
  next: number | null;
}

/** The service of a workspace. */
export interface ServiceAnswer {
  api_version: number;
  workspace: string | null;
  service: ServiceLooks;
  host: Host | null;
}

/** The process that drives the runs; only `alive` and `open_runs` where none was ever seen. */
export interface ServiceLooks {
  pid?: number;
  host?: string;
  epoch?: number;
  version?: string;
  started?: number;
  alive?: boolean;
  answers?: boolean;
  left?: boolean;
  open_runs?: number;
}

/** Who drives a workspace's runs, as its page shows it. */
export interface ServiceOfWorkspace {
  state: string;
  pid: number | null;
  host: string | null;
  epoch: number | null;
  version: string | null;
  start_time: string | null;
}

/** The files of a run's snapshot. */
export interface SnapshotAnswer {
  api_version: number;
  workspace: string | null;
  run: string;
  snapshot: string | null;
  /** The first 2,000. */
  files: SnapshotFile[];
  total: number;
  other: string | null;
  /** Since the other run's snapshot. */
  added: string[];
  removed: string[];
  changed: string[];
}

/** A file of a snapshot. */
export interface SnapshotFile {
  name: string;
  size: number;
}

/** Say what to run, where and how; exactly one of `script`, `notebook` and `command`. */
export interface SubmitBody {
  /** Folder that is snapshotted: absolute or relative to the server's root directory, and inside it. */
  source_directory?: string;
  script?: string | null;
  notebook?: string | null;
  command?: string | string[] | null;
  arguments?: (string | number | number)[];
  /** Of a notebook: papermill's parameters. */
  parameters?: Record<string, unknown>;
  target?: string | null;
  /** The name of the source directory if left out. */
  experiment?: string | null;
  /** Name of a run configuration of the source directory. */
  run_configuration?: string | null;
  /** A registered environment, ``name`` or ``name:version``; the run configuration's if left out. */
  environment?: string | null;
  environment_variables?: Record<string, string>;
  display_name?: string | null;
  tags?: Record<string, string>;
  priority?: number;
  cores?: number;
  gpus?: number;
  /** Bytes. */
  memory?: number;
  max_retries?: number;
  max_run_duration_seconds?: number | null;
  grace_seconds?: number;
}

/** The run that was queued. */
export interface SubmittedAnswer {
  api_version: number;
  workspace: string | null;
  run: WholeRun;
  /** What the one who submitted it should know. */
  notes: string[];
}

/** What a sweep samples, and what its children reached: the best first, those that have not ended last. */
export interface Sweep {
  primary_metric: string;
  goal: string;
  definition: Record<string, unknown>;
  paused: boolean;
  total: number;
  best: string | null;
  best_value: number | null;
  importances: Record<string, number>;
  saved_seconds: number | null;
  saved_share: number | null;
  children: SweepChild[];
  curves: Record<string, (number | string)[]>;
}

/** A sweep as it is now. */
export interface SweepAnswer {
  api_version: number;
  workspace: string | null;
  run: string;
  sweep: SweepNow;
}

/** A parameter of a sweep as an axis. */
export interface SweepAxis {
  name: string;
  expression: string;
  /** What stands at its lower end. */
  low: string;
  high: string;
  /** The values of a choice, if they are few. */
  options: unknown[];
  /** Where they lie, from 0 to 1. */
  centres: number[];
}

/** A child of a sweep, with what it was given and what it reached. */
export interface SweepChild {
  id: string;
  number: number;
  status: string;
  hyperparameters: Record<string, unknown>;
  best: number | null;
  last: number | null;
  count: number;
  start_time: string | null;
  end_time: string | null;
  duration: number | null;
  stopped: boolean;
  remark: string;
}

/** A sweep's limits and parameters after all changes. */
export interface SweepNow {
  paused: boolean;
  /** It has not ended. */
  open: boolean;
  /** How many children were added by hand; they count beside `max_total_runs`. */
  added: number;
  max_total_runs: number;
  max_concurrent_runs: number;
  max_duration_minutes: number;
  axes: SweepAxis[];
}

/** A compute target in a list. */
export interface Target {
  name: string;
  type: string;
  provisioning_state: string;
  provisioning_errors: unknown[];
  default: boolean;
  running: number;
  queued: number;
  settings: Record<string, unknown>;
  attached: boolean;
  tags: Record<string, string>;
  description: string;
  created_time: string | null;
  modified_time: string | null;
}

/** One compute target. */
export interface TargetAnswer {
  api_version: number;
  workspace: string | null;
  target: WholeTarget;
}

/** The compute targets of a workspace. */
export interface TargetsAnswer {
  api_version: number;
  workspace: string | null;
  compute: Target[];
}

/** Say what to change about a compute target. */
export interface UpdateTargetBody {
  settings?: Record<string, unknown>;
  /** True: submits that name no target go here from now on. */
  default?: boolean | null;
}

/** A run with everything that is known of it. */
export interface WholeRun {
  id: string;
  parent: string | null;
  experiment: string;
  status: string;
  target: string;
  attempt: number;
  exit_code: number | null;
  start_time: string | null;
  end_time: string | null;
  metrics: Record<string, unknown>;
  parameters: Record<string, unknown>;
  snapshot: string | null;
  error: Record<string, unknown> | null;
  display_name: string;
  number: number;
  kind: string;
  reason: string;
  place_in_line: number | null;
  progress: Record<string, unknown> | null;
  priority: number;
  cores: number;
  gpus: number;
  memory: number;
  created_time: string | null;
  queued_time: string | null;
  cancel_requested_time: string | null;
  script: string | null;
  command: string | string[] | null;
  arguments: string[];
  source_directory: string | null;
  max_retries: number;
  tags: Record<string, string>;
  properties: Record<string, string>;
  hidden: boolean;
  seq: number;
  as_of: string;
  workspace: string;
  node: string | null;
  gpu_list: string[];
  python: string | null;
  log_path: string | null;
  log_tail: string[];
  outputs: Output[];
  /** Their ids; left out of a brief answer. */
  children: string[];
  child_count: number;
  sweep: Sweep | null;
  attempts: Attempt[];
  timeline: Change[];
}

/** A compute target with what is there and what is free. */
export interface WholeTarget {
  name: string;
  type: string;
  provisioning_state: string;
  provisioning_errors: unknown[];
  default: boolean;
  running: number;
  queued: number;
  settings: Record<string, unknown>;
  attached: boolean;
  tags: Record<string, string>;
  description: string;
  created_time: string | null;
  modified_time: string | null;
  machine: Record<string, unknown> | null;
  problems: string[];
  slots: number | null;
  free_slots: number | null;
}

/** One workspace. */
export interface WorkspaceAnswer {
  api_version: number;
  workspace: string | null;
  details: WorkspaceDetails;
}

/** A workspace. */
export interface WorkspaceDetails {
  id: string;
  name: string;
  root: string;
  location: string;
  resource_group: string;
  subscription_id: string;
  default_target: string;
  targets: string[];
  experiments: number;
  runs: Record<string, number>;
  service: ServiceOfWorkspace;
}

/** A workspace in the list. */
export interface WorkspaceEntry {
  id: string;
  name: string;
  root: string;
  exists: boolean;
}

/** The registered workspaces. */
export interface WorkspacesAnswer {
  api_version: number;
  workspace: string | null;
  workspaces: WorkspaceEntry[];
  /** Id of the server's own. */
  default: string;
}

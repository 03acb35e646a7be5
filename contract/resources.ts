/** Custom resources as users write them. Derived from crds/ by `npm run generate`; do not edit. */

/** The parts of Kubernetes' ObjectMeta that we read. */
export interface ObjectMeta {
  name: string;
  namespace?: string;
  uid?: string;
  generation?: number;
  resourceVersion?: string;
  creationTimestamp?: string;
  deletionTimestamp?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  [key: string]: unknown;
}

/**
 * StreamProxy declares where LLM traffic of the annotated pods of its namespace goes: upstreams, routes and logging targets. A pod with the annotation `sluice.dev/inject: <name>` gets a sidecar that executes it.
 */
export interface StreamProxy {
  /**
   * Always sluice.dev/v1alpha1.
   */
  apiVersion?: string;
  /**
   * Always StreamProxy.
   */
  kind?: string;
  metadata: ObjectMeta;
  /**
   * What the sidecars shall do.
   */
  spec: {
    /**
     * The loopback listener that the pod's own containers use.
     */
    listen?: {
      /**
       * Port on 127.0.0.1 of the pod. A change reaches new pods only, as a running pod's environment names the old one.
       */
      port?: number;
      /**
       * What the listener takes on at the same time.
       */
      limits?: {
        /**
         * Exchanges served at the same time. One more is answered 503 with retry-after before its body is read. Without this there is no limit.
         */
        inFlight?: number;
      };
      /**
       * Limits for clients that send slowly; 0s means none. An upload of any length that makes progress trips neither.
       */
      timeouts?: {
        /**
         * From a request's first byte until its whole head is there.
         */
        head?: string;
        /**
         * In each span of this length the body must end or bring at least 64 KiB. Time in which the upstream takes nothing does not count.
         */
        body?: string;
      };
      /**
       * Lets pages of these origins call the proxied paths from a browser; off by default. The own endpoints (/gateway/*, /health) never answer with CORS headers.
       */
      cors?: {
        /**
         * Origins as browsers send them. There is no wildcard, as every page that is allowed can spend the key.
         */
        allowOrigins: string[];
      };
      /**
       * Which answers say how they were routed, in the headers `sluice-route`, `sluice-upstream` and `sluice-attempts`: none, those to requests with the header `sluice-explain: true`, or all.
       */
      explain?: 'never' | 'onRequest' | 'always';
      /**
       * Whether the request header `sluice-debug: 1` makes the sidecar write that exchange's decisions and times to its own log: never bodies, never keys, and a bounded number of exchanges a minute.
       */
      debug?: 'never' | 'onRequest';
    };
    /**
     * The listener on the pod's address, for the scraper, the kubelet and the operator alone.
     */
    metrics?: {
      /**
       * Port on the pod's address that serves /metrics, /healthz, /readyz and /revision, and nothing else. A change reaches new pods only.
       */
      port?: number;
    };
    /**
     * How an agent is named inside the system prompt, for clients that cannot set x-agent-name. The text between the first `open` and the next `close` is the name; the header wins over it. Read only where a route asks for agents.
     */
    agentTag?: {
      /**
       * Text right before the name, for example <agent>.
       */
      open: string;
      /**
       * Text right behind the name, for example </agent>; a line break works too.
       */
      close: string;
    };
    /**
     * Named lists of models, for routes to match by name.
     */
    tiers?: {
      /**
       * The name that match.tiers uses.
       */
      name: string;
      /**
       * Model names that the client asks for; * stands for any characters.
       */
      models: string[];
    }[];
    /**
     * Makes this StreamProxy a gateway: a Deployment and a Service named sluice-<name> in its namespace in place of sidecars. Keys stay here; pods and sidecars of any namespace reach it over the network, authenticated.
     */
    gateway?: {
      /**
       * How many pods serve. One may be missing at a time while nodes are drained.
       */
      replicas?: number;
      /**
       * Port of the Service. Default: 443 with tls, 80 with plaintext.
       */
      port?: number;
      /**
       * TLS of the Service's port.
       */
      tls?: {
        /**
         * A Secret of this namespace with tls.crt and tls.key, as cert-manager makes them. A renewed certificate is taken up without a restart.
         */
        secret: {
          /**
           * Name of the Secret.
           */
          name: string;
        };
      };
      /**
       * Plain HTTP, said explicitly. Keys, tokens and conversations are then readable on the way unless something else (a mesh, say) encrypts.
       */
      plaintext?: {};
      /**
       * Who may use the gateway. Anybody else gets 401, or 403 with a token that is good and not listed.
       */
      clients: {
        /**
         * The name that records use.
         */
        name: string;
        /**
         * Service accounts whose token for the audience `sluice` is accepted. It is verified with the cluster's public keys, without asking the API server.
         */
        serviceAccount?: {
          /**
           * Namespace of the service account.
           */
          namespace: string;
          /**
           * Name of the service account. Absent: every one of the namespace.
           */
          name?: string;
        };
        /**
         * A key of a Secret of this namespace whose value the client sends as its API key (x-api-key, or Authorization Bearer). It is never passed on.
         */
        secret?: {
          /**
           * Name of the Secret.
           */
          name: string;
          /**
           * Key of the Secret's data that holds the client's key.
           */
          key: string;
        };
      }[];
      /**
       * Of each pod. Default: what sidecars have.
       */
      resources?: {
        /**
         * What each pod asks for.
         */
        requests?: {
          /**
           * Processor, for example 500m.
           */
          cpu?: string;
          /**
           * Memory, for example 256Mi.
           */
          memory?: string;
        };
        /**
         * What each pod may use at most.
         */
        limits?: {
          /**
           * Processor. None by default, as a throttled gateway delays every stream.
           */
          cpu?: string;
          /**
           * Memory, for example 1Gi.
           */
          memory?: string;
        };
      };
      /**
       * How long a pod that is to stop may finish the streams that it has.
       */
      terminationGracePeriodSeconds?: number;
    };
    /**
     * The container that injection adds to pods. A change reaches new pods only; without Kubernetes it has no meaning.
     */
    sidecar?: {
      /**
       * Volumes of the application's pod that the sidecar mounts too, for toolLoop.workspace to work on. Only emptyDir, persistentVolumeClaim and ephemeral volumes are mounted; a pod without the volume is refused.
       */
      volumeMounts?: {
        /**
         * Name of a volume in the pod's spec.volumes.
         */
        name: string;
        /**
         * Absolute path in the sidecar, for example /workspace.
         */
        mountPath: string;
        /**
         * Relative path of the folder inside the volume that is mounted. Default: the whole volume.
         */
        subPath?: string;
        /**
         * Whether the sidecar may only read the volume.
         */
        readOnly?: boolean;
      }[];
      /**
       * A volume of the application's pod that holds the sidecar's state (records that wait, file targets) in place of an emptyDir, which ends with the pod. No two pods may share it: take a claim of a StatefulSet's volumeClaimTemplates.
       */
      stateVolume?: {
        /**
         * Name of a volume in the pod's spec.volumes.
         */
        name: string;
        /**
         * Relative path of the folder inside the volume, where the application uses the volume as well. Default: the whole volume.
         */
        subPath?: string;
      };
      /**
       * Of each sidecar; what is left out is the chart's sidecar.resources. Where one of the chart's would contradict (a request above the limit given here, a limit below the request given here), it becomes equal to what is given.
       */
      resources?: {
        /**
         * What each sidecar asks for.
         */
        requests?: {
          /**
           * Processor, for example 50m.
           */
          cpu?: string;
          /**
           * Memory, for example 128Mi.
           */
          memory?: string;
        };
        /**
         * What each sidecar may use at most.
         */
        limits?: {
          /**
           * Processor. None by default, as a throttled sidecar delays every stream.
           */
          cpu?: string;
          /**
           * Memory, for example 512Mi.
           */
          memory?: string;
        };
      };
    };
    /**
     * The providers and servers that routes may use, by name.
     */
    upstreams: {
      /**
       * The name that routes, metrics and records use.
       */
      name: string;
      /**
       * The API that the upstream speaks: `anthropic` (Messages), `openai` (Chat Completions, Responses, Embeddings) or `raw` (any HTTP API, passed on and never translated).
       */
      dialect: 'anthropic' | 'openai' | 'raw';
      /**
       * Base URL. Without a path the client's path is kept; with a path that ends in /v1 the part of the client's path after /v1 is appended to it.
       */
      url?: string;
      /**
       * Plays recorded answers in place of asking anybody: byte for byte, in the chunks and with the waits in which they came. See docs/replay.md.
       */
      replay?: {
        /**
         * File of records, one JSON line each as a `file` target writes them; a relative path below the state directory, for example recordings/answers.ndjson.
         */
        path: string;
        /**
         * How much faster than it was recorded; 0.5 is half as fast, 0 plays without any wait.
         */
        speed?: number;
      };
      /**
       * Where the key comes from, in order; the first source that is there is used. Without any, no credentials are sent and the caller's are removed.
       */
      credentials?: {
        /**
         * The caller's own key, passed on as it came. Counts as absent when it is the placeholder or when caller and upstream speak different dialects.
         */
        client?: {};
        /**
         * A key of a Secret in the StreamProxy's namespace.
         */
        secret?: {
          /**
           * Name of the Secret.
           */
          name: string;
          /**
           * Key of the Secret's data that holds the credential.
           */
          key: string;
          /**
           * Header that carries the credential. Default: `x-api-key` for anthropic, `authorization` (as `Bearer …`) for openai and raw. Any header but authorization gets the bare value.
           */
          header?: string;
        };
        /**
         * The token of the pod's own service account, made for the audience `sluice` alone and mounted into the sidecar alone; sent as `Authorization: Bearer …`. For upstreams that are a gateway.
         */
        serviceAccountToken?: {};
      }[];
      /**
       * What this upstream calls the models that clients ask for; the first entry that matches wins. A model on the route's own entry wins over this list.
       */
      modelMap?: {
        /**
         * Model that the client asks for; * stands for any characters.
         */
        from: string;
        /**
         * Model that this upstream is asked for.
         */
        to: string;
      }[];
      /**
       * How requests of the other dialect are translated for this upstream, and its answers back. Requests of its own dialect are never translated.
       */
      translation?: {
        /**
         * What kind of OpenAI-compatible server this is; decides which fields it understands.
         */
        flavor?: 'openai' | 'azure' | 'groq' | 'deepseek' | 'ollama' | 'vllm' | 'mistral' | 'xai' | 'gemini';
        /**
         * Sent as max_tokens to an anthropic upstream, which requires it, when the client sent none.
         */
        maxTokens?: number;
        /**
         * What becomes of a part of a request that the other dialect has no place for: `warn` leaves it out and counts it in sluice_translation_losses_total, `refuse` answers 400 and names it.
         */
        onLoss?: 'warn' | 'refuse';
      };
      /**
       * Says that this upstream is a Sluice gateway (a StreamProxy with spec.gateway, perhaps of another namespace). It is told the id of the exchange, and tokens are counted there and not here.
       */
      gateway?: {};
      /**
       * Four limits with four names; 0s means none.
       */
      timeouts?: {
        /**
         * Until the connection, TLS included, stands.
         */
        connect?: string;
        /**
         * From the request's last byte until the answer's headers.
         */
        firstByte?: string;
        /**
         * Longest silence inside an answer, on either side. A healthy stream of any length never trips it.
         */
        idle?: string;
        /**
         * The whole exchange; none by default, as long streams are healthy.
         */
        total?: string;
      };
      /**
       * Speaks HTTP/2 with the upstream where it offers that; HTTP/1.1 otherwise, and by default.
       */
      http2?: boolean;
      /**
       * What the upstream is sent at the same time, by each sidecar for itself. Without an entry there is no limit.
       */
      limits?: {
        /**
         * Open connections. Further requests wait for one, for timeouts.connect at most.
         */
        connections?: number;
        /**
         * Exchanges under way. At the limit the next upstream of the route is chosen; when none is left, the answer is 503 with retry-after that names the upstream.
         */
        inFlight?: number;
      };
      /**
       * Upstream TLS, which is always verified.
       */
      tls?: {
        /**
         * Certificate authority to trust instead of the public ones.
         */
        ca?: {
          /**
           * A PEM bundle in a Secret of the StreamProxy's namespace.
           */
          secret: {
            /**
             * Name of the Secret.
             */
            name: string;
            /**
             * Key of the Secret's data that holds the PEM bundle.
             */
            key: string;
          };
        };
        /**
         * The certificate that we show to an upstream that asks for one.
         */
        clientCertificate?: {
          /**
           * A Secret of the StreamProxy's namespace with a PEM certificate and its key, such as one of the type kubernetes.io/tls.
           */
          secret: {
            /**
             * Name of the Secret.
             */
            name: string;
            /**
             * Key of the Secret's data that holds the certificate, its chain included.
             */
            certKey?: string;
            /**
             * Key of the Secret's data that holds the private key, without a password.
             */
            keyKey?: string;
          };
        };
      };
      /**
       * An egress HTTP proxy through which this upstream is reached (CONNECT).
       */
      proxy?: {
        /**
         * URL of the egress proxy.
         */
        url: string;
      };
    }[];
    /**
     * Ordered; the first route that matches wins. A request that matches none gets 404 in its own dialect.
     */
    routes: {
      /**
       * The name that metrics, records and conditions use.
       */
      name: string;
      /**
       * All given parts must match; a part matches when one of its entries does. Without any part the route matches every request.
       */
      match?: {
        /**
         * Exact paths, or prefixes when they end in *.
         */
        paths?: string[];
        /**
         * Model names that the client asks for; * stands for any characters.
         */
        models?: string[];
        /**
         * Names of entries of spec.tiers; the model must be in one of them. A part of its own beside `models`.
         */
        tiers?: string[];
        /**
         * Names of agents, from the request header x-agent-name or, without it, from spec.agentTag.
         */
        agents?: string[];
        /**
         * Request headers that must be there, with one of the listed values where there are any.
         */
        headers?: {
          /**
           * Header name, in any case.
           */
          name: string;
          /**
           * Values of which one must equal the request's, exactly. Without values the header must only be there.
           */
          values?: string[];
        }[];
      };
      /**
       * Another path at the upstream.
       */
      rewrite?: {
        /**
         * Replaces what the route's path pattern names, without its *, before the path is joined to the upstream's url. Of an exact path everything is replaced; without `match.paths` it goes in front.
         */
        prefix: string;
      };
      /**
       * Keeps event streams from looking dead to whoever stands between. Off unless asked for.
       */
      keepAlive?: {
        /**
         * Silence of the upstream after which the client gets a ping, always between two events: the event `ping` for anthropic clients, a comment line for others. It does not count as a sign of life for timeouts.idle.
         */
        after: string;
      };
      /**
       * The first choice, split by weight. Blue/green is 100 and 0.
       */
      upstreams: {
        /**
         * Name of an entry of spec.upstreams.
         */
        name: string;
        /**
         * Share of the requests, relative to the other weights of the route; 0 means none.
         */
        weight?: number;
        /**
         * Replaces the model that the client asked for, and nothing else of the body.
         */
        model?: string;
      }[];
      /**
       * Keeps requests with the same header value on the same upstream of the split, so that conversations and prompt caches stay together.
       */
      sticky?: {
        /**
         * Request header whose value is the key, for example x-session-id.
         */
        header: string;
      };
      /**
       * Tried in this order when the first choice fails before its first content.
       */
      fallback?: {
        /**
         * Name of an entry of spec.upstreams.
         */
        name: string;
        /**
         * Replaces the model that the client asked for.
         */
        model?: string;
      }[];
      /**
       * Further tries at the same upstream, before the first content only. Off unless asked for.
       */
      retry?: {
        /**
         * Tries at each upstream, the first included.
         */
        attemptsPerUpstream?: number;
        /**
         * Bounds the whole chain of tries, fallbacks included.
         */
        within?: string;
      };
      /**
       * The sidecar runs these tools itself: it offers them to the model beside the client's own, executes what the model calls, and gives the client one answer. Serves /v1/messages and /v1/chat/completions; other paths of the route pass as if it were not there.
       */
      toolLoop?: {
        /**
         * Servers of the Model Context Protocol, reached by streamable HTTP.
         */
        mcpServers?: {
          /**
           * The name that our own log uses.
           */
          name: string;
          /**
           * The server's endpoint, for example http://search.tools.svc/mcp.
           */
          url: string;
          /**
           * Names of the tools that models may call; * stands for any characters.
           */
          allow: string[];
          /**
           * How long the server's list of tools is kept. A server that says its list has changed is asked at once.
           */
          refresh?: string;
          /**
           * The server's credential, a key of a Secret in the StreamProxy's namespace. Without it none is sent.
           */
          secret?: {
            /**
             * Name of the Secret.
             */
            name: string;
            /**
             * Key of the Secret's data that holds the credential.
             */
            key: string;
            /**
             * Header that carries it; authorization gets `Bearer …`, any other the bare value.
             */
            header?: string;
          };
        }[];
        /**
         * Tools behind plain HTTP, one url each.
         */
        http?: {
          /**
           * The name by which models call the tool.
           */
          name: string;
          /**
           * What the tool does and when to use it, for the model.
           */
          description: string;
          /**
           * Gets a POST with `{"name": …, "arguments": {…}}`; the body of its answer is the result, and a status from 400 on makes it an error.
           */
          url: string;
          /**
           * JSON Schema of the arguments, with `type: object` at its top. What does not fit it never reaches the url.
           */
          inputSchema?: {
            [k: string]: unknown;
          };
          /**
           * The credential to send, a key of a Secret in the StreamProxy's namespace. Without it none is sent.
           */
          secret?: {
            /**
             * Name of the Secret.
             */
            name: string;
            /**
             * Key of the Secret's data that holds the credential.
             */
            key: string;
            /**
             * Header that carries it; authorization gets `Bearer …`, any other the bare value.
             */
            header?: string;
          };
        }[];
        /**
         * Built-in tools workspace_list, workspace_read and workspace_write, confined to one directory.
         */
        workspace?: {
          /**
           * Absolute path in the sidecar, where a volume of the application is mounted.
           */
          directory: string;
          /**
           * Which of the tools models may call. Writing has to be asked for.
           */
          allow?: ('list' | 'read' | 'write')[];
          /**
           * Longest file that is written, and most bytes of a file that are read at once.
           */
          maxFileBytes?: number | string;
        };
        /**
         * What a streaming client sees between the model's turns: nothing, or lines such as `🔧 Executing search…` as text or as thinking. They are marked, and taken out of later requests and of records.
         */
        progress?: 'none' | 'text' | 'thinking';
        /**
         * Whether clients of the Messages API see the sidecar's calls and their results, as blocks of the kinds mcp_tool_use and mcp_tool_result. What they send back of these becomes calls and results again for the model, so that it remembers them; hidden ones it forgets with the end of the answer.
         */
        calls?: 'hidden' | 'shown';
        /**
         * Most turns of the model in one exchange.
         */
        maxRounds?: number;
        /**
         * Most calls of one turn that run at the same time.
         */
        maxParallel?: number;
        /**
         * Longest time of one call; beyond it the model gets an error as its result.
         */
        callTimeout?: string;
        /**
         * Longest time of all turns and calls of one exchange together.
         */
        maxDuration?: string;
        /**
         * Most tokens, input and output, that all turns of one exchange may take together; no turn begins beyond it. Without it there is no such limit.
         */
        maxTokens?: number;
        /**
         * Of one result this much reaches the model; the rest is cut, and said to be.
         */
        maxResultBytes?: number | string;
      };
      /**
       * Streamed text leaves word by word at a natural rhythm. Off unless asked for.
       */
      pacing?: {
        /**
         * The shortest and the longest pause before a word, for example 10ms-50ms.
         */
        wordDelay: string;
        /**
         * No word leaves later than this after it came; where the upstream is faster than the rhythm, words leave faster.
         */
        maxLag?: string;
        /**
         * Also where the upstream speaks the client's dialect and no tool loop runs, whose bytes otherwise pass untouched.
         */
        nativePaths?: boolean;
      };
    }[];
    /**
     * What is recorded of each exchange, and where the records go.
     */
    logging?: {
      /**
       * What a record holds. Credential headers are always removed; that is no setting.
       */
      capture?: {
        /**
         * Bytes kept of each body; what exceeds is cut and marked. 0 keeps no bodies.
         */
        maxBodyBytes?: number | string;
        /**
         * Whether a record of a stream also holds the one answer that the call would have given without streaming. It costs some 6 µs of processor time an event, after the stream's end.
         */
        assemble?: boolean;
        /**
         * Whether targets also get progress records while a stream runs: what is known of it so far, with the same id and a rising sequence; the newest replaces the older ones, and the record of the whole is the last. See docs/records.md.
         */
        partials?: boolean;
        /**
         * How long after the answer's beginning, and after each progress record, the next one is made; from 1s to 24h. It takes longer where nothing came meanwhile, and where many and large ones would cost too much. Only with partials.
         */
        partialsEvery?: string;
        /**
         * What is removed from a record before it is written.
         */
        redact?: {
          /**
           * Header whose value is replaced.
           */
          header?: string;
          /**
           * Path into a JSON body whose value is replaced, such as $.metadata.user_id; [*] stands for every element.
           */
          jsonPath?: string;
          /**
           * Regular expression (RE2) whose matches in bodies are replaced.
           */
          pattern?: string;
        }[];
      };
      /**
       * Where records wait for their targets.
       */
      spool?: {
        /**
         * Most bytes of the state volume that waiting records may take. Beyond it the oldest lose the content of their bodies, and then the oldest are dropped; both are counted.
         */
        maxBytes?: number | string;
        /**
         * How long a record waits for a target that cannot be reached; then it is dropped and counted.
         */
        maxAge?: string;
      };
      /**
       * Keeps records in the sidecar, searchable at /gateway/audit and on the page /gateway/ of the listen port. Every container of the pod can read them there. See docs/audit.md.
       */
      audit?: {
        /**
         * Whether records are kept and searched. What was kept is removed when this becomes false.
         */
        enabled: boolean;
        /**
         * Most bytes of the state volume that kept records and their index may take; the oldest go first. At least 1Mi is used.
         */
        maxBytes?: number | string;
        /**
         * How long a record is kept.
         */
        maxAge?: string;
      };
      /**
       * Where records go; each target gets every record.
       */
      targets?: {
        /**
         * The name that metrics and conditions use.
         */
        name: string;
        /**
         * One JSON line a record on the sidecar's standard output. This puts conversations into pod logs.
         */
        stdout?: {};
        /**
         * One JSON line a record appended to a file below the state directory.
         */
        file?: {
          /**
           * Relative path below the state directory, for example records.ndjson.
           */
          path: string;
          /**
           * Size at which the file is rotated; one earlier file is kept as <path>.1.
           */
          maxBytes?: number | string;
        };
        /**
         * Records POSTed in batches; docs/log-targets.md says what a receiver has to do.
         */
        http?: {
          /**
           * Where batches are sent.
           */
          url: string;
          /**
           * `ndjson`: one record a line; `json`: an array of records, or the bare record where maxRecords is 1.
           */
          format?: 'ndjson' | 'json';
          /**
           * Most records in one request.
           */
          maxRecords?: number;
          /**
           * Most bytes of records in one request, before compression; a single longer record is sent on its own.
           */
          maxBytes?: number | string;
          /**
           * Whether bodies are compressed (Content-Encoding gzip).
           */
          gzip?: boolean;
          /**
           * Credential that every request carries.
           */
          credential?: {
            /**
             * A key of a Secret in the StreamProxy's namespace.
             */
            secret: {
              /**
               * Name of the Secret.
               */
              name: string;
              /**
               * Key of the Secret's data that holds the credential.
               */
              key: string;
              /**
               * Header that carries the credential. In `authorization` a bare value is sent as `Bearer …` and one that names its scheme, such as `Basic …`, as it is; any other header gets the value as it is.
               */
              header?: string;
            };
          };
          /**
           * Key that every request is signed with (Standard Webhooks, headers webhook-id, webhook-timestamp and webhook-signature).
           */
          hmac?: {
            /**
             * A key of a Secret in the StreamProxy's namespace.
             */
            secret: {
              /**
               * Name of the Secret.
               */
              name: string;
              /**
               * Key of the Secret's data that holds the signing key, as whsec_… or as it is.
               */
              key: string;
            };
          };
          /**
           * Longest wait for the whole of one request.
           */
          timeout?: string;
          /**
           * The receiver's TLS, which is always verified.
           */
          tls?: {
            /**
             * Certificate authority to trust instead of the public ones.
             */
            ca: {
              /**
               * A key of a Secret in the StreamProxy's namespace.
               */
              secret: {
                /**
                 * Name of the Secret.
                 */
                name: string;
                /**
                 * Key of the Secret's data that holds a PEM bundle.
                 */
                key: string;
              };
            };
          };
        };
        /**
         * Records inserted into a PostgreSQL table, which is created when it is not there.
         */
        postgres?: {
          /**
           * Connection string, as postgres://user:password@host:5432/database?sslmode=verify-full.
           */
          dsn: {
            /**
             * A key of a Secret in the StreamProxy's namespace.
             */
            secret: {
              /**
               * Name of the Secret.
               */
              name: string;
              /**
               * Key of the Secret's data that holds the connection string.
               */
              key: string;
            };
          };
          /**
           * Table to insert into.
           */
          table?: string;
          /**
           * Longest wait for one batch, the connection included.
           */
          timeout?: string;
          /**
           * The server's TLS, which is used when this is here or the connection string asks for it, and then always verified.
           */
          tls?: {
            /**
             * Certificate authority to trust instead of the public ones.
             */
            ca: {
              /**
               * A key of a Secret in the StreamProxy's namespace.
               */
              secret: {
                /**
                 * Name of the Secret.
                 */
                name: string;
                /**
                 * Key of the Secret's data that holds a PEM bundle.
                 */
                key: string;
              };
            };
          };
        };
        /**
         * Records as OpenTelemetry logs, over OTLP/HTTP with JSON.
         */
        otlp?: {
          /**
           * The collector's address; /v1/logs is appended where the url has no path.
           */
          url: string;
          /**
           * Whether bodies are compressed (Content-Encoding gzip).
           */
          gzip?: boolean;
          /**
           * Credential that every request carries.
           */
          credential?: {
            /**
             * A key of a Secret in the StreamProxy's namespace.
             */
            secret: {
              /**
               * Name of the Secret.
               */
              name: string;
              /**
               * Key of the Secret's data that holds the credential.
               */
              key: string;
              /**
               * Header that carries the credential. In `authorization` a bare value is sent as `Bearer …` and one that names its scheme, such as `Basic …`, as it is; any other header gets the value as it is.
               */
              header?: string;
            };
          };
          /**
           * Longest wait for the whole of one request.
           */
          timeout?: string;
          /**
           * The collector's TLS, which is always verified.
           */
          tls?: {
            /**
             * Certificate authority to trust instead of the public ones.
             */
            ca: {
              /**
               * A key of a Secret in the StreamProxy's namespace.
               */
              secret: {
                /**
                 * Name of the Secret.
                 */
                name: string;
                /**
                 * Key of the Secret's data that holds a PEM bundle.
                 */
                key: string;
              };
            };
          };
        };
        /**
         * Records as messages of a Kafka topic, whose key is the record's id; acknowledged by all replicas in sync.
         */
        kafka?: {
          /**
           * Addresses to begin with, as host:port.
           */
          brokers: string[];
          /**
           * Topic to write to; it must exist, unless the brokers create topics on their own.
           */
          topic: string;
          /**
           * Who we are to the brokers; without it no authentication takes place.
           */
          sasl?: {
            /**
             * SASL mechanism. PLAIN sends the password itself, so use it with tls.
             */
            mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512';
            /**
             * User name.
             */
            username: {
              /**
               * A key of a Secret in the StreamProxy's namespace.
               */
              secret: {
                /**
                 * Name of the Secret.
                 */
                name: string;
                /**
                 * Key of the Secret's data that holds the user name.
                 */
                key: string;
              };
            };
            /**
             * Password.
             */
            password: {
              /**
               * A key of a Secret in the StreamProxy's namespace.
               */
              secret: {
                /**
                 * Name of the Secret.
                 */
                name: string;
                /**
                 * Key of the Secret's data that holds the password.
                 */
                key: string;
              };
            };
          };
          /**
           * Longest wait for the brokers to acknowledge a batch, and for a connection.
           */
          timeout?: string;
          /**
           * TLS to the brokers, always verified; without this field connections are in plain text. `tls: {}` trusts the public authorities.
           */
          tls?: {
            /**
             * Certificate authority to trust instead of the public ones.
             */
            ca?: {
              /**
               * A key of a Secret in the StreamProxy's namespace.
               */
              secret: {
                /**
                 * Name of the Secret.
                 */
                name: string;
                /**
                 * Key of the Secret's data that holds a PEM bundle.
                 */
                key: string;
              };
            };
          };
        };
        /**
         * Records as objects of newline-delimited JSON, compressed with zstd, in a bucket of Amazon S3 or what speaks its protocol.
         */
        s3?: {
          /**
           * The service's address; default: Amazon S3 of the region.
           */
          endpoint?: string;
          /**
           * Name of the bucket, which must exist.
           */
          bucket: string;
          /**
           * What the objects' names begin with, for example sluice/; a slash is not added.
           */
          prefix?: string;
          /**
           * Region that requests are signed for.
           */
          region?: string;
          /**
           * Whether the bucket is named in the path rather than in the host name; most services other than Amazon's want it.
           */
          pathStyle?: boolean;
          /**
           * Access key.
           */
          credentials: {
            /**
             * Id of the access key.
             */
            accessKeyId: {
              /**
               * A key of a Secret in the StreamProxy's namespace.
               */
              secret: {
                /**
                 * Name of the Secret.
                 */
                name: string;
                /**
                 * Key of the Secret's data that holds the id.
                 */
                key: string;
              };
            };
            /**
             * Secret access key.
             */
            secretAccessKey: {
              /**
               * A key of a Secret in the StreamProxy's namespace.
               */
              secret: {
                /**
                 * Name of the Secret.
                 */
                name: string;
                /**
                 * Key of the Secret's data that holds the secret access key.
                 */
                key: string;
              };
            };
            /**
             * Session token, for keys that live for a while.
             */
            sessionToken?: {
              /**
               * A key of a Secret in the StreamProxy's namespace.
               */
              secret: {
                /**
                 * Name of the Secret.
                 */
                name: string;
                /**
                 * Key of the Secret's data that holds the session token.
                 */
                key: string;
              };
            };
          };
          /**
           * Longest wait for the whole of one upload.
           */
          timeout?: string;
          /**
           * The service's TLS, which is always verified.
           */
          tls?: {
            /**
             * Certificate authority to trust instead of the public ones.
             */
            ca: {
              /**
               * A key of a Secret in the StreamProxy's namespace.
               */
              secret: {
                /**
                 * Name of the Secret.
                 */
                name: string;
                /**
                 * Key of the Secret's data that holds a PEM bundle.
                 */
                key: string;
              };
            };
          };
        };
      }[];
    };
  };
  /**
   * What the operator saw and did.
   */
  status?: {
    /**
     * The generation of the spec that this status speaks of.
     */
    observedGeneration?: number;
    /**
     * The revision of the config last delivered, credentials' versions included.
     */
    revision?: string;
    /**
     * How far the revision has come.
     */
    pods?: {
      /**
       * Running pods with the sidecar of this StreamProxy.
       */
      injected?: number;
      /**
       * Those that run the revision above.
       */
      current?: number;
      /**
       * Those that answered with another revision.
       */
      stale?: number;
      /**
       * Those whose metrics port did not answer.
       */
      unreachable?: number;
    };
    /**
     * Present while this StreamProxy is a gateway.
     */
    gateway?: {
      /**
       * Where pods of the cluster reach it; the url of an upstream that points to it.
       */
      url?: string;
    };
    /**
     * Accepted, ResolvedRefs, Programmed, and TargetsReady once a log target has failed.
     */
    conditions?: {
      /**
       * Accepted, ResolvedRefs, Programmed or TargetsReady.
       */
      type: string;
      /**
       * Whether the condition holds.
       */
      status: 'True' | 'False' | 'Unknown';
      /**
       * The generation of the spec that this condition speaks of.
       */
      observedGeneration?: number;
      /**
       * When the status last changed.
       */
      lastTransitionTime: string;
      /**
       * One word for machines.
       */
      reason: string;
      /**
       * A full sentence for people, with the way out.
       */
      message: string;
    }[];
  };
}

/**
 * SidecarProfile holds the sidecar of the StreamProxy of the same name, ready to be copied into pods. The operator writes it; a policy refuses anybody else's writes.
 */
export interface SidecarProfile {
  /**
   * Always sluice.dev/v1alpha1.
   */
  apiVersion?: string;
  /**
   * Always SidecarProfile.
   */
  kind?: string;
  metadata: ObjectMeta;
  /**
   * The parts that injection copies.
   */
  spec: {
    /**
     * The native sidecar (an init container with restartPolicy Always), complete.
     */
    container: {
      [k: string]: unknown;
    };
    /**
     * The pod's volumes that the sidecar mounts.
     */
    volumes: {
      [k: string]: unknown;
    }[];
    /**
     * Mounts of the pod's own volumes, appended to the container's where the pod has the volume. The container's variable SLUICE_VOLUMES names them all, so that a policy can refuse a pod that lacks one.
     */
    volumeMounts?: {
      /**
       * Name of the pod's volume.
       */
      name: string;
      /**
       * Absolute path in the sidecar.
       */
      mountPath: string;
      /**
       * Folder inside the volume.
       */
      subPath?: string;
      /**
       * Whether the sidecar may only read.
       */
      readOnly?: boolean;
    }[];
    /**
     * Variables for each of the pod's own containers; one that the container already has stays as it is.
     */
    env: {
      /**
       * Name of the variable.
       */
      name: string;
      /**
       * Its value.
       */
      value: string;
      /**
       * Names of other variables of which any makes this one unnecessary.
       */
      unless?: string[];
      /**
       * Stands in for a key, and so is left out of containers that take variables from elsewhere (envFrom).
       */
      placeholder?: boolean;
    }[];
    /**
     * What the sidecar may put on the node's disk at most. Added to its limits where a container of the pod has such a limit: the kubelet evicts a pod that has more on disk than its containers' limits together.
     */
    ephemeralStorage?: string;
    /**
     * What is appended to NO_PROXY and no_proxy of each container, comma-separated.
     */
    noProxy: string;
  };
}

